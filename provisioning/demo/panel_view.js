// The wall terminal: its display pixel for pixel, two lamps, four buttons, the reader, the door.
//
// What is shown comes from the terminal's own pins; nothing here decides anything. Tones are
// played at the distances in time at which the buzzer's pin changed.

const LIT = [223, 243, 255];
const DARK = [6, 9, 13];
const WIDTH = 128;
const HEIGHT = 64;
const LOUDNESS = 0.035;
const AHEAD_S = 0.03;
const APART_S = 2;

export default {
  template: `
    <section class="kz-wall" :class="{ off: !power }" :aria-label="words.terminal">
      <div class="kz-unit">
        <div class="kz-bezel">
          <canvas ref="oled" class="kz-oled" width="128" height="64" role="img"
                  :aria-label="words.display"></canvas>
          <div v-if="!power" class="kz-dead">{{ words.dead }}</div>
        </div>
        <div class="kz-lamps">
          <span class="kz-lamp ring" :class="{ on: ring }" role="img"
                :aria-label="ring ? words.ring_on : words.ring_off"><svg viewBox="0 0 24 24"
            ><circle cx="12" cy="12" r="7.4"/></svg></span>
          <span class="kz-lamp cross" :class="{ on: cross }" role="img"
                :aria-label="cross ? words.cross_on : words.cross_off"><svg viewBox="0 0 24 24"
            ><path d="M5.6 5.6l12.8 12.8M18.4 5.6l-12.8 12.8"/></svg></span>
          <span class="kz-tone" :class="{ on: sounding }" aria-hidden="true">♪</span>
        </div>
        <div class="kz-keys">
          <button v-for="(label, index) in buttons" :key="label" type="button" class="kz-key"
                  :disabled="!power" @click="$emit('press', index + 1)">
            {{ label }}
          </button>
        </div>
        <div id="kz-reader" class="kz-reader" :class="{ busy: busy }">
          <svg v-if="!guest" viewBox="0 0 48 48" aria-hidden="true">
            <path d="M12 17q6 7 0 14M20 12q10 12 0 24M28 7q14 17 0 34" fill="none"
                  stroke="currentColor" stroke-width="3.2" stroke-linecap="round"/>
          </svg>
          <span v-if="!guest">{{ words.here }}</span>
          <div v-else class="kz-guest"><small>{{ words.guest }}</small>{{ guest }}</div>
        </div>
      </div>
      <div class="kz-doorway" role="img" :aria-label="open ? words.door_open : words.door_shut">
        <div class="kz-sign">{{ words.door }}</div>
        <div class="kz-frame">
          <div class="kz-inside"><i></i><i></i><i></i></div>
          <div class="kz-door" :class="{ open: open }"><b></b><u></u></div>
        </div>
        <div class="kz-lock" :class="{ open: open }">
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path :d="open ? 'M8 10V7a4 4 0 0 1 7.6-1.7' : 'M8 10V7a4 4 0 0 1 8 0v3'" fill="none"
                  stroke="currentColor" stroke-width="2" stroke-linecap="round"/>
            <rect x="5" y="10" width="14" height="10" rx="2" fill="currentColor"/>
          </svg>
          {{ open ? words.released : words.locked }}
        </div>
      </div>
      <div v-if="queue" class="kz-queue" aria-hidden="true">
        <i v-for="place in queue" :key="queue - place" :style="{ '--tall': tall(queue - place) }"></i>
      </div>
    </section>`,
  props: {
    frame: String,
    ring: Boolean,
    cross: Boolean,
    open: Boolean,
    power: Boolean,
    busy: Boolean,
    sound: Boolean,
    queue: Number,
    guest: String,
    buttons: Array,
    words: Object,
  },
  data: () => ({ sounding: false }),
  watch: {
    frame: "draw",
    power: "draw",
    sound() {
      if (!this.sound) this.hush();
    },
  },
  mounted() {
    this.draw();
  },
  unmounted() {
    this.audio?.context.close();
  },
  methods: {
    draw() {
      const context = this.$refs.oled.getContext("2d");
      const image = context.createImageData(WIDTH, HEIGHT);
      const bits = this.power && this.frame ? atob(this.frame) : "";
      for (let dot = 0; dot < WIDTH * HEIGHT; dot++) {
        const lit = bits.charCodeAt(dot >> 3) & (0x80 >> (dot & 7));
        image.data.set(lit ? LIT : DARK, dot * 4);
        image.data[dot * 4 + 3] = 255;
      }
      context.putImageData(image, 0, 0);
    },
    // edges: [[hertz, milliseconds on the terminal's clock], ...], oldest first.
    tones(edges) {
      this.sounding = edges[edges.length - 1][0] > 0;
      // Browsers let a page sound only after the person has touched it.
      if (!this.sound || !navigator.userActivation?.hasBeenActive) return;
      const { context, oscillator, gain } = (this.audio ??= this.instrument());
      for (const [hertz, at] of edges) {
        const now = context.currentTime + AHEAD_S;
        let when = this.anchor ? this.anchor.audio + (at - this.anchor.at) / 1000 : 0;
        if (when < now - AHEAD_S || when > now + APART_S) {
          this.anchor = { audio: now, at: at };
          when = now;
        }
        if (hertz > 0) oscillator.frequency.setValueAtTime(hertz, when);
        gain.gain.setTargetAtTime(hertz > 0 ? LOUDNESS : 0, when, 0.003);
      }
    },
    instrument() {
      const context = new AudioContext();
      const oscillator = new OscillatorNode(context, { type: "square" });
      const soft = new BiquadFilterNode(context, { type: "lowpass", frequency: 5200 });
      const gain = new GainNode(context, { gain: 0 });
      oscillator.connect(soft).connect(gain).connect(context.destination);
      oscillator.start();
      return { context, oscillator, gain };
    },
    // How tall a person of the queue is, the same one always the same.
    tall(person) {
      return 26 + ((person * 7) % 9) + "px";
    },
    hush() {
      this.audio?.gain.gain.cancelScheduledValues(0);
      this.audio?.gain.gain.setValueAtTime(0, 0);
    },
  },
};
