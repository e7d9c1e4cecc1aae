// The tray of sample cards. A click or a number key taps a card for about a second; a card that is
// dragged onto the reader stays there until it is dragged or clicked away; pressing and holding
// lays it there for as long as it is held.

const HOLD_MS = 450;
const NUDGE_PX = 6;

export default {
  template: `
    <section class="kz-tray" :aria-label="words.tray">
      <header><h2>{{ words.tray }}</h2><p>{{ words.how }}</p></header>
      <div class="kz-cards" ref="cards">
        <div v-for="card in cards" :key="card.key" class="kz-place" :title="card.tip">
          <button type="button" class="kz-card" :class="[card.look, { lying: lying === card.key,
                  carried: carried === card.key }]" :style="position(card.key)" :data-key="card.key"
                  :aria-label="card.number + ' ' + card.name + ' ' + card.note"
                  :aria-pressed="lying === card.key ? 'true' : 'false'"
                  @pointerdown="grasp($event, card.key)" @pointermove="carry"
                  @pointerup="release" @pointercancel="release" @click="clicked($event, card.key)">
            <span class="kz-face">
              <svg v-if="card.hair" viewBox="0 0 40 44" aria-hidden="true">
                <path d="M3 46c1-11 8-15 17-15s16 4 17 15z" :fill="card.coat"/>
                <path d="M16 27h8v6q-4 4-8 0z" fill="#eac3a2"/>
                <ellipse cx="20" cy="19" rx="9.2" ry="10.4" fill="#f4d3b5"/>
                <path :d="card.hair" :fill="card.shade"/>
                <path d="M16.4 19.6v1M23.6 19.6v1M17 24.6q3 2 6 0" stroke="#5b4636"
                      stroke-width="1.1" fill="none" stroke-linecap="round"/>
              </svg>
              <svg v-else viewBox="0 0 40 44" aria-hidden="true">
                <path :d="card.emblem" fill="none" stroke="currentColor" stroke-width="2.4"
                      stroke-linecap="round" stroke-linejoin="round"/>
              </svg>
            </span>
            <span class="kz-print"><em>{{ card.title }}</em><strong>{{ card.name }}</strong>
              <small>{{ card.section }}</small></span>
          </button>
          <span class="kz-note"><kbd>{{ card.number }}</kbd>{{ card.note }}</span>
        </div>
      </div>
    </section>`,
  props: { cards: Array, lying: String, words: Object },
  data: () => ({ carried: null, dx: 0, dy: 0, tick: 0 }),
  mounted() {
    this.typed = (event) => this.key(event);
    this.resized = () => this.tick++;
    window.addEventListener("keydown", this.typed);
    window.addEventListener("resize", this.resized);
  },
  unmounted() {
    window.removeEventListener("keydown", this.typed);
    window.removeEventListener("resize", this.resized);
  },
  methods: {
    position(key) {
      if (this.carried === key) return { transform: `translate(${this.dx}px, ${this.dy}px)` };
      if (this.lying !== key || this.tick < 0) return {};
      const place = this.$refs.cards?.querySelector(`[data-key="${key}"]`)?.parentElement;
      const reader = document.getElementById("kz-reader")?.getBoundingClientRect();
      if (!place || !reader) return {};
      const home = place.firstElementChild;
      const box = place.getBoundingClientRect();
      const x = reader.left + (reader.width - home.offsetWidth) / 2 - box.left - home.offsetLeft;
      const y = reader.top + (reader.height - home.offsetHeight) / 2 - box.top - home.offsetTop;
      return { transform: `translate(${x}px, ${y}px) rotate(-3deg)` };
    },
    key(event) {
      const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
      if (!digit || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
      const card = this.cards[Number(digit[1]) - 1];
      if (!card) return;
      this.$emit(event.shiftKey ? "lay" : "tap", card.key);
    },
    clicked(event, key) {
      // A click made by the keyboard; those of the pointer end in release.
      if (event.detail === 0) this.$emit("tap", key);
    },
    grasp(event, key) {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const box = event.currentTarget.getBoundingClientRect();
      const place = event.currentTarget.parentElement.getBoundingClientRect();
      this.grip = {
        key,
        x: event.clientX,
        y: event.clientY,
        fromX: box.left - place.left - event.currentTarget.offsetLeft,
        fromY: box.top - place.top - event.currentTarget.offsetTop,
        was: this.lying === key,
        on: this.lying === key,
        moved: false,
        held: setTimeout(() => this.hold(), HOLD_MS),
      };
    },
    hold() {
      if (!this.grip || this.grip.moved || this.grip.was) return;
      this.grip.holding = true;
      this.grip.on = true;
      this.$emit("lay", this.grip.key);
    },
    carry(event) {
      const grip = this.grip;
      if (!grip || grip.holding) return;
      const [x, y] = [event.clientX - grip.x, event.clientY - grip.y];
      if (!grip.moved && Math.hypot(x, y) < NUDGE_PX) return;
      grip.moved = true;
      clearTimeout(grip.held);
      [this.carried, this.dx, this.dy] = [grip.key, grip.fromX + x, grip.fromY + y];
      const on = this.over(event);
      if (on !== grip.on) this.$emit(on ? "lay" : "take", grip.key);
      grip.on = on;
    },
    release(event) {
      const grip = this.grip;
      if (!grip) return;
      this.grip = null;
      clearTimeout(grip.held);
      this.carried = null;
      if (grip.holding) this.$emit("take", grip.key);
      else if (!grip.moved && event.type === "pointerup") this.$emit("tap", grip.key);
    },
    over(event) {
      const box = document.getElementById("kz-reader")?.getBoundingClientRect();
      return (
        box !== undefined &&
        event.clientX > box.left - 12 &&
        event.clientX < box.right + 12 &&
        event.clientY > box.top - 24 &&
        event.clientY < box.bottom + 12
      );
    },
  },
};
