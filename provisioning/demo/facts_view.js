// What is written down of this employee and what is not, and what nobody has tried yet.

export default {
  template: `
    <section class="kz-facts">
      <div class="kz-about">
        <h2>{{ words.about }}</h2>
        <div>
          <ul class="yes"><li class="head">{{ words.yes }}</li>
            <li v-for="line in words.kept" :key="line">{{ line }}</li></ul>
          <ul class="no"><li class="head">{{ words.no }}</li>
            <li v-for="line in words.not_kept" :key="line">{{ line }}</li></ul>
        </div>
      </div>
      <div class="kz-open">
        <h2>{{ words.open }}</h2>
        <ul><li v-for="line in words.untried" :key="line">{{ line }}</li></ul>
      </div>
    </section>`,
  props: { words: Object },
};
