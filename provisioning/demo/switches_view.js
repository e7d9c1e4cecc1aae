// What one may do to the town hall: five switches, and the paper of a changed permit.

export default {
  template: `
    <section class="kz-switches" :aria-label="words.try">
      <div class="kz-tiles">
        <button v-for="tile in tiles" :key="tile.key" type="button" class="kz-tile"
                :class="[tile.key, { on: tile.on }]" :data-key="tile.key" :title="tile.tip"
                :disabled="tile.busy"
                :role="tile.held ? 'switch' : null"
                :aria-checked="tile.held ? String(tile.on) : null" @click="$emit('flip', tile.key + (tile.on ? ':off' : ':on'))">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path :d="tile.icon" fill="none" stroke="currentColor" stroke-width="2.2"
                  stroke-linecap="round" stroke-linejoin="round"/>
          </svg>
          <strong>{{ tile.title }}</strong>
          <span>{{ tile.state }}</span>
          <i v-if="tile.part !== null" :style="{ width: tile.part + '%' }"></i>
        </button>
      </div>
      <div v-if="paper" class="kz-paper" role="dialog" :aria-label="paper.title" @keydown.esc="$emit('drop')">
        <h3>{{ paper.title }}</h3>
        <p v-for="line in paper.lines" :key="line.text" :class="line.kind"><b>{{ line.mark }}</b>{{ line.text }}</p>
        <div>
          <button type="button" class="go" ref="go" @click="$emit('publish')">{{ words.sign }}</button>
          <button type="button" @click="$emit('drop')">{{ words.cancel }}</button>
        </div>
      </div>
    </section>`,
  props: { tiles: Array, paper: Object, words: Object },
  watch: {
    paper(paper) {
      if (paper) this.$nextTick(() => this.$refs.go?.focus());
    },
  },
};
