// The records, newest first, each with its way: on the terminal's disk, at the town hall, proven.

export default {
  template: `
    <section class="kz-records" :aria-label="words.records">
      <header>
        <h2>{{ words.records }}</h2>
        <dl class="kz-counts">
          <div :class="{ some: waiting > 0 }" :title="words.tip_wait"><dt>{{ words.waiting }}</dt><dd>{{ waiting }}</dd></div>
          <div :title="words.tip1"><dt>{{ words.recorded }}</dt><dd>{{ recorded }}</dd></div>
          <div class="sealed" :title="words.tip3"><dt>{{ words.received }}</dt><dd>{{ received }}</dd></div>
        </dl>
      </header>
      <div class="kz-sheet">
        <table>
          <thead><tr>
            <th class="n">{{ words.number }}</th><th>{{ words.time }}</th>
            <th :title="words.tip_who">{{ words.who }}</th>
            <th>{{ words.outcome }}</th>
            <th class="s" :title="words.tip1">{{ words.stage1 }}</th>
            <th class="s" :title="words.tip2">{{ words.stage2 }}</th>
            <th class="s" :title="words.tip3">{{ words.stage3 }}</th>
          </tr></thead>
          <tbody aria-live="polite" aria-relevant="additions">
            <tr v-for="row in rows" :key="row.id" :class="[row.tone, { fresh: row.fresh }]"
                :data-stage="row.stage" :data-reason="row.reason" @click="$emit('open', row.seq)">
              <td class="n"><button type="button" :aria-label="words.read + ' ' + row.seq"
                  @click.stop="$emit('open', row.seq)">{{ row.seq }}</button></td>
              <td class="t">{{ row.time }}</td>
              <td class="w" :title="words.tip_who">{{ row.who }}</td>
              <td class="o" :title="row.reason === 'publication_active' ? words.tip_sent_out : null"
                  ><b>{{ row.mark }}</b>{{ row.outcome }}</td>
              <td class="s"><span class="kz-tick" :title="words.tip1">✓</span></td>
              <td class="s"><span v-if="row.stage > 1" class="kz-tick" :title="words.tip2">✓</span>
                <span v-else class="kz-wait" :title="words.tip_wait">{{ words.pending }}</span></td>
              <td class="s"><span v-if="row.stage > 2" class="kz-seal" :title="words.tip3"
                    >{{ words.seal }}</span>
                <span v-else class="kz-wait" :title="words.tip_wait">…</span></td>
            </tr>
            <tr v-if="!rows.length" class="none"><td colspan="7">{{ words.none }}</td></tr>
          </tbody>
        </table>
      </div>
      <div v-if="opened" class="kz-opened" role="dialog" :aria-label="words.read"
           @keydown.esc="$emit('close')">
        <h3>{{ words.whole.replace('{seq}', opened.seq) }}
          <button type="button" ref="close" :aria-label="words.close" @click="$emit('close')"
            >×</button></h3>
        <dl><template v-for="line in opened.lines" :key="line[0]">
          <dt>{{ line[0] }}</dt><dd>{{ line[1] }}</dd></template></dl>
      </div>
    </section>`,
  props: {
    rows: Array,
    waiting: Number,
    recorded: Number,
    received: Number,
    opened: Object,
    words: Object,
  },
  watch: {
    opened(opened) {
      if (opened) this.$nextTick(() => this.$refs.close?.focus());
    },
  },
};
