// The line on top: what this is, the steps one can try (each ticks itself off), sound, language.

export default {
  template: `
    <header class="kz-top">
      <div class="kz-name">{{ words.name }}<small>{{ words.about }}</small></div>
      <ol v-if="next < 0" class="kz-steps" :aria-label="words.steps_label">
        <li class="done"><b>✓</b>{{ words.tried }}</li>
        <li class="now" :title="words.next_tip"><b>→</b>{{ words.next }}</li>
      </ol>
      <ol v-else class="kz-steps" :aria-label="words.steps_label">
        <li v-for="(step, index) in words.steps" :key="step"
            :class="done.includes(index) ? 'done' : index === next ? 'now' : ''">
          <b>{{ done.includes(index) ? '✓' : index + 1 }}</b>{{ step }}
        </li>
      </ol>
      <button type="button" class="kz-plain sound" :aria-pressed="String(sound)"
              :aria-label="words.sound_label" @click="$emit('sound')">
        {{ sound ? words.sound_on : words.sound_off }}</button>
      <button type="button" class="kz-plain language" @click="$emit('language')"
        >{{ words.language }}</button>
    </header>`,
  props: { words: Object, sound: Boolean, done: Array },
  computed: {
    next() {
      return this.words.steps.findIndex((_, index) => !this.done.includes(index));
    },
  },
};
