// Plays a student: everything shown and done goes through the control API of the sandbox.

const texts = {
  ru: {
    skip: 'К урокам', title: 'Песочница', course: 'Курс',
    subtitle: 'Здесь вы играете за ученика: Stepik и Boomstream ненастоящие.',
    students: 'Ученики', lessons: 'Уроки', videos: 'Видео', world: 'Сбои',
    search: 'Найти ученика', howMany: 'Сколько учеников', alreadyPassed: 'Уже прошли уроков', addStudents: 'Добавить',
    pickStudent: 'Выберите ученика слева или во вкладке «Ученики».',
    noStudents: 'Учеников ещё нет. Добавьте нескольких.', nobody: 'Никого не нашлось.',
    shownOf: (shown, total) => `Показано ${shown} из ${total}`,
    pass: 'Пройти', passed: 'Пройден', theory: 'Только теория: отметить пройденным нельзя',
    steps: 'Шаги', step: 'Шаг', stepDone: 'пройден', stepOpen: 'не пройден', review: 'с проверкой',
    watchable: '▶ видео открыто', locked: 'видео закрыто',
    watchNow: 'Можно смотреть на Boomstream', code: 'Код ученика (если почта другая)',
    noAccess: 'У этого ученика пока нет ни одного покупателя на Boomstream.',
    until: 'до', forever: 'без срока', activations: 'активаций', videosCount: (n) => `${n} видео`,
    faults: 'Сбои по заказу', ownFault: 'Свой сбой…', target: 'Сервис', kind: 'Что', share: 'Доля, %',
    times: 'Не больше раз', millis: 'Миллисекунд', path: 'Только путь', addFault: 'Включить',
    remove: 'Убрать', hits: 'сработал', left: 'осталось',
    calls: 'Последние вызовы', noCalls: 'Вызовов ещё не было.', noAnswer: 'нет ответа', refused: 'отказ',
    totals: (s, b) => `Всего: Stepik ${s}, Boomstream ${b}`,
    didPass: (what) => `Пройдено: ${what}`, didAdd: (n) => `Добавлено учеников: ${n}`,
    presets: {
      slow: 'Stepik медленный', limit: 'Stepik 429', broken: 'Stepik 502', bslow: 'Boomstream медленный',
      silent: 'Boomstream молчит, но сделал', drop: 'Boomstream рвёт связь', failed: 'Boomstream отказывает',
    },
  },
  en: {
    skip: 'To the lessons', title: 'Sandbox', course: 'Course',
    subtitle: 'You play the student here: Stepik and Boomstream are stand-ins.',
    students: 'Students', lessons: 'Lessons', videos: 'Videos', world: 'Faults',
    search: 'Find a student', howMany: 'How many students', alreadyPassed: 'Lessons passed already', addStudents: 'Add',
    pickStudent: 'Pick a student on the left or in the Students tab.',
    noStudents: 'There are no students yet. Add some.', nobody: 'Nobody found.',
    shownOf: (shown, total) => `${shown} of ${total} shown`,
    pass: 'Pass', passed: 'Passed', theory: 'Theory only: nothing to pass',
    steps: 'Steps', step: 'Step', stepDone: 'passed', stepOpen: 'not passed', review: 'reviewed',
    watchable: '▶ video is open', locked: 'video is locked',
    watchNow: 'Can be watched on Boomstream', code: 'Student’s code (if the e-mail differs)',
    noAccess: 'This student is no buyer on Boomstream yet.',
    until: 'until', forever: 'no end', activations: 'activations', videosCount: (n) => `${n} videos`,
    faults: 'Faults on demand', ownFault: 'Your own fault…', target: 'Service', kind: 'What', share: 'Share, %',
    times: 'At most times', millis: 'Milliseconds', path: 'Only this path', addFault: 'Switch on',
    remove: 'Remove', hits: 'hit', left: 'left',
    calls: 'Recent calls', noCalls: 'No calls yet.', noAnswer: 'no answer', refused: 'refused',
    totals: (s, b) => `In all: Stepik ${s}, Boomstream ${b}`,
    didPass: (what) => `Passed: ${what}`, didAdd: (n) => `Students added: ${n}`,
    presets: {
      slow: 'Stepik is slow', limit: 'Stepik 429', broken: 'Stepik 502', bslow: 'Boomstream is slow',
      silent: 'Boomstream does it, says nothing', drop: 'Boomstream drops calls', failed: 'Boomstream refuses',
    },
  },
};

const presets = {
  slow: { target: 'stepik', kind: 'latency', share: 1, millis: 2000 },
  limit: { target: 'stepik', kind: 'status_429', share: 0.3 },
  broken: { target: 'stepik', kind: 'bad_gateway_html', share: 0.3 },
  bslow: { target: 'boomstream', kind: 'latency', share: 1, millis: 2000 },
  silent: { target: 'boomstream', kind: 'timeout_after', share: 0.3 },
  drop: { target: 'boomstream', kind: 'drop', share: 0.3 },
  failed: { target: 'boomstream', kind: 'failed_200', share: 0.3 },
};

const kinds = ['latency', 'status_401', 'status_403', 'status_404', 'status_429', 'status_500', 'bad_gateway_html',
  'timeout_before', 'timeout_after', 'drop', 'drop_after', 'truncated', 'failed_200', 'empty_body'];

const byId = (id) => document.getElementById(id);
const state = {
  language: (navigator.language || 'ru').toLowerCase().startsWith('en') ? 'en' : 'ru',
  course: 0, structure: null, students: [], total: 0, user: 0, student: null, openModules: new Set(),
  openSteps: new Set(), faults: [],
};
const t = (key) => texts[state.language][key];

function element(tag, attributes = {}, ...children) {
  const out = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'click') out.addEventListener('click', value);
    else if (name === 'disabled' || name === 'open' || name === 'hidden') out[name] = value;
    else if (value !== null && value !== undefined) out.setAttribute(name, value);
  }
  out.append(...children.filter((c) => c !== null));
  return out;
}

async function call(method, path, body) {
  const answer = await fetch(`/control/${path}`, {
    method,
    headers: body ? { 'Content-Type': 'application/json' } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.field ? `${json.field}: ${json.message}` : json.message);
  return json;
}

let messageTimer = 0;
function say(text, bad = false) {
  const box = byId('message');
  box.textContent = text;
  box.classList.toggle('bad', bad);
  clearTimeout(messageTimer);
  messageTimer = setTimeout(() => { box.textContent = ''; }, 4000);
}

// Runs an action of the user; what goes wrong is said, not swallowed.
async function act(what) {
  try {
    await what();
  } catch (e) {
    say(e.message, true);
  }
}

// Replaces the children only when they changed, so that a refresh does not take the focus away.
function replace(parent, children, key) {
  if (parent.dataset.key === key) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  parent.dataset.key = key;
  parent.replaceChildren(...children);
  if (focused) parent.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

function translate() {
  document.documentElement.lang = state.language;
  document.title = `${t('title')} Coursegate`;
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  byId('search').placeholder = t('search');
  const other = state.language === 'ru' ? 'en' : 'ru';
  const button = byId('language');
  button.textContent = other.toUpperCase();
  button.lang = other;
  button.setAttribute('aria-label', other === 'en' ? 'Switch to English' : 'Переключить на русский');
}

// Students

function showStudents() {
  const list = byId('student-list');
  const key = JSON.stringify([state.language, state.user, state.students]);
  const rows = state.students.map((s) => element('li', {},
    element('button', {
      type: 'button', 'aria-pressed': String(s.user === state.user), 'data-focus': `s${s.user}`,
      click: () => act(() => choose(s.user)),
    },
    element('span', {}, s.name),
    element('span', { class: 'quiet' }, `${s.user}`),
    element('span', { class: 'score' }, `${s.passed_lessons}/${passable()}`))));
  if (rows.length === 0) {
    rows.push(element('li', { class: 'empty' }, byId('search').value ? t('nobody') : t('noStudents')));
  }
  replace(list, rows, key);
  byId('student-count').textContent = state.total > state.students.length ? t('shownOf')(state.students.length, state.total) : '';
}

function passable() {
  if (!state.structure) return 0;
  return state.structure.modules.reduce((n, m) => n + m.lessons.filter((l) => l.gradable > 0).length, 0);
}

async function loadStudents() {
  const q = encodeURIComponent(byId('search').value.trim());
  const answer = await call('GET', `students?course=${state.course}&limit=40&q=${q}`);
  state.students = answer.students;
  state.total = answer.total;
  if (!state.user && state.students.length > 0) await choose(state.students[0].user, false);
  showStudents();
}

async function choose(user, goToLessons = true) {
  state.user = user;
  await loadStudent();
  showStudents();
  if (goToLessons) showTab('lessons');
}

// Lessons and videos

function openLessons() {
  const out = new Map();
  for (const s of state.student?.access ?? []) {
    for (const v of s.videos) out.set(v.media, `/${v.media}?id_recovery=${encodeURIComponent(s.hash)}`);
  }
  return out;
}

function lessonRow(lesson, progress, open) {
  const link = open.get(lesson.media);
  const done = progress.total > 0 && progress.passed === progress.total;
  const stepsId = `steps-${lesson.lesson}`;
  const stepsOpen = state.openSteps.has(lesson.lesson);
  const passedSteps = new Set(progress.passed_steps);
  const steps = lesson.steps.filter((s) => s.gradable).map((s) => {
    const is = passedSteps.has(s.step);
    return element('button', {
      type: 'button', disabled: is, 'aria-pressed': String(is), 'data-focus': `p${s.step}`, title: s.block,
      'aria-label': `${t('step')} ${s.position}, ${s.block}${s.review ? `, ${t('review')}` : ''}, ${is ? t('stepDone') : t('stepOpen')}`,
      click: () => act(async () => {
        await call('POST', 'pass', { course: state.course, user: state.user, step: s.step });
        await refreshStudent();
      }),
    }, String(s.position));
  });
  return element('div', { class: 'lesson' },
    element('div', { class: 'lesson-head' },
      element('h3', {}, lesson.title),
      element('div', { class: 'meter' },
        progress.total > 0
          ? element('progress', { max: progress.total, value: progress.passed, 'aria-label': lesson.title })
          : null,
        progress.total > 0
          ? element('span', { class: done ? 'count done' : 'count' }, `${progress.passed}/${progress.total}`)
          : element('span', { class: 'quiet' }, t('theory')),
        link
          ? element('a', { class: 'lock open', href: link, target: '_blank', rel: 'noopener' }, t('watchable'))
          : element('span', { class: 'lock quiet' }, t('locked'))),
      progress.total > 0
        ? element('div', { class: 'actions' },
          progress.total > 1
            ? element('button', {
              type: 'button', 'aria-expanded': String(stepsOpen), 'aria-controls': stepsId, 'data-focus': `o${lesson.lesson}`,
              'aria-label': `${t('steps')}: ${lesson.title}`,
              click: () => {
                if (!state.openSteps.delete(lesson.lesson)) state.openSteps.add(lesson.lesson);
                showLessons();
              },
            }, '⋯')
            : null,
          element('button', {
            type: 'button', class: done ? '' : 'primary', disabled: done, 'data-focus': `l${lesson.lesson}`,
            'aria-label': `${done ? t('passed') : t('pass')}: ${lesson.title}`,
            click: () => act(async () => {
              await call('POST', 'pass', { course: state.course, user: state.user, lesson: lesson.lesson });
              say(t('didPass')(lesson.title));
              await refreshStudent();
            }),
          }, ...(done ? ['✓', element('span', { class: 'wide' }, ` ${t('passed')}`)] : [t('pass')])))
        : null),
    element('div', { class: 'steps', id: stepsId, hidden: !stepsOpen }, ...steps));
}

function showLessons() {
  const box = byId('modules');
  if (!state.student || !state.structure) {
    byId('who').textContent = '';
    replace(box, [element('p', { class: 'empty' }, t('pickStudent'))], `none ${state.language}`);
    return;
  }
  byId('who').textContent = `${state.student.name} · ${state.student.email}`;
  const progress = new Map(state.student.lessons.map((l) => [l.lesson, l]));
  const open = openLessons();
  const key = JSON.stringify([state.language, state.user, state.student.lessons, [...open.keys()], [...state.openSteps],
    state.structure]);
  const nothing = { passed: 0, total: 0, passed_steps: [] };
  const modules = state.structure.modules.map((m) => {
    const gradable = m.lessons.filter((l) => l.gradable > 0);
    const done = gradable.filter((l) => {
      const p = progress.get(l.lesson) ?? nothing;
      return p.total > 0 && p.passed === p.total;
    }).length;
    const out = element('details', { class: 'module', open: state.openModules.has(m.module) },
      element('summary', { 'data-focus': `m${m.module}` },
        element('span', { class: 'name' }, m.title),
        element('span', { class: done === gradable.length ? 'count done' : 'count' }, `${done}/${gradable.length}`)),
      ...m.lessons.map((l) => lessonRow(l, progress.get(l.lesson) ?? nothing, open)));
    out.addEventListener('toggle', () => {
      if (out.open) state.openModules.add(m.module);
      else state.openModules.delete(m.module);
    });
    return out;
  });
  replace(box, modules, key);
}

function showAccess() {
  const box = byId('access');
  const access = state.student?.access ?? [];
  const key = JSON.stringify([state.language, state.user, access]);
  if (access.length === 0) {
    replace(box, [element('p', { class: 'empty' }, state.student ? t('noAccess') : t('pickStudent'))], key);
    return;
  }
  replace(box, access.map((s) => {
    const end = s.end.startsWith('0000') || s.end.startsWith('2100') ? t('forever') : `${t('until')} ${s.end}`;
    const links = element('div', { class: 'links' }, ...s.videos.map((v) => element('a', {
      href: `/${v.media}?id_recovery=${encodeURIComponent(s.hash)}`, target: '_blank', rel: 'noopener',
    }, `▶ ${v.title}`)));
    return element('div', { class: 'subscription' },
      element('div', {}, element('strong', {}, s.name), ' ', element('span', { class: 'quiet' }, s.subscription)),
      element('div', { class: 'quiet' }, `${end} · ${t('activations')}: ${s.recovery}`),
      s.videos.length > 4
        ? element('details', {}, element('summary', {}, t('videosCount')(s.videos.length)), links)
        : links);
  }), key);
}

async function loadStudent() {
  if (!state.user) return;
  const code = encodeURIComponent(byId('code').value.trim());
  state.student = await call('GET', `students/${state.user}?course=${state.course}&code=${code}`);
  if (state.openModules.size === 0 && state.structure) {
    const done = new Map(state.student.lessons.map((l) => [l.lesson, l.total === 0 || l.passed === l.total]));
    const next = state.structure.modules.find((m) => m.lessons.some((l) => !done.get(l.lesson)));
    state.openModules.add((next ?? state.structure.modules[0]).module);
  }
  showLessons();
  showAccess();
}

async function refreshStudent() {
  await Promise.all([loadStudent(), loadStudents()]);
}

// Faults and calls

function presetRule(name) {
  const p = presets[name];
  return state.faults.find((f) => f.target === p.target && f.kind === p.kind && f.share === p.share
    && f.left === null && f.path === '' && (p.millis === undefined || f.millis === p.millis));
}

function showFaults() {
  const key = JSON.stringify([state.language, state.faults]);
  replace(byId('presets'), Object.keys(presets).map((name) => {
    const rule = presetRule(name);
    return element('button', {
      type: 'button', 'aria-pressed': String(Boolean(rule)), 'data-focus': name,
      click: () => act(async () => {
        if (rule) await call('DELETE', `faults/${rule.id}`);
        else await call('POST', 'faults', presets[name]);
        await loadFaults();
      }),
    }, t('presets')[name]);
  }), key);
  replace(byId('rules'), state.faults.map((f) => element('li', {},
    element('span', {}, `${f.target}: ${f.kind} ${Math.round(f.share * 100)} %${f.path ? ` ${f.path}` : ''}`
      + `${f.left === null ? '' : `, ${t('left')} ${f.left}`}, ${t('hits')} ${f.hits}×`),
    element('button', {
      type: 'button', 'data-focus': `f${f.id}`, 'aria-label': `${t('remove')}: ${f.target} ${f.kind}`,
      click: () => act(async () => {
        await call('DELETE', `faults/${f.id}`);
        await loadFaults();
      }),
    }, t('remove')))), key);
}

async function loadFaults() {
  state.faults = (await call('GET', 'faults')).faults;
  showFaults();
}

async function loadCalls() {
  const [{ calls }, { total }] = await Promise.all([call('GET', 'calls?limit=25'), call('GET', 'counters')]);
  byId('totals').textContent = t('totals')(total.stepik, total.boomstream);
  const time = new Intl.DateTimeFormat(state.language, { timeStyle: 'medium', hour12: false });
  const rows = calls.map((c) => element('li', { class: c.status >= 400 || c.status === 0 || c.failed ? 'bad' : '' },
    element('time', { datetime: c.at, class: 'quiet' }, time.format(new Date(c.at))),
    element('code', {}, `${c.method} ${c.path}`),
    element('span', { class: 'status' }, c.status === 0 ? t('noAnswer') : c.failed ? t('refused') : String(c.status)),
    element('span', { class: 'about' }, [c.target, c.detail, c.fault, `${c.ms.toFixed(1)} ms`].filter(Boolean).join(' · '))));
  if (rows.length === 0) rows.push(element('li', { class: 'empty' }, t('noCalls')));
  replace(byId('call-list'), rows, JSON.stringify([state.language, calls]));
}

// The page

const tabs = ['students', 'lessons', 'videos', 'world'];

function showTab(name) {
  document.body.dataset.tab = name;
  history.replaceState(null, '', `#tab=${name}`);
  for (const b of document.querySelectorAll('[data-tab-button]')) {
    b.setAttribute('aria-current', String(b.dataset.tabButton === name));
  }
}

async function loadCourse() {
  state.structure = await call('GET', `courses/${state.course}`);
  state.user = 0;
  state.student = null;
  state.openModules.clear();
  state.openSteps.clear();
  await loadStudents();
  showLessons();
  showAccess();
}

async function start() {
  translate();
  const wanted = location.hash.replace('#tab=', '');
  showTab(tabs.includes(wanted) ? wanted : 'lessons');
  byId('kinds').replaceChildren(...kinds.map((k) => element('option', { value: k }, k)));
  const { courses } = await call('GET', 'courses');
  const choice = byId('course');
  choice.replaceChildren(...courses.map((c) => element('option', { value: c.course }, `${c.course} ${c.title}`)));
  choice.closest('label').hidden = courses.length < 2;
  state.course = courses[0].course;
  await loadCourse();
  await Promise.all([loadFaults(), loadCalls()]);
}

byId('course').addEventListener('change', () => act(async () => {
  state.course = Number(byId('course').value);
  await loadCourse();
}));
byId('language').addEventListener('click', () => act(async () => {
  state.language = state.language === 'ru' ? 'en' : 'ru';
  translate();
  showStudents();
  showLessons();
  showAccess();
  showFaults();
  await loadCalls();
}));
for (const b of document.querySelectorAll('[data-tab-button]')) {
  b.addEventListener('click', () => showTab(b.dataset.tabButton));
}
document.querySelector('.skip').addEventListener('click', () => showTab('lessons')); // else there is nothing to skip to
let typing = 0;
byId('search').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => act(loadStudents), 200);
});
byId('code').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => act(loadStudent), 200);
});
byId('add-students').addEventListener('submit', (e) => {
  e.preventDefault();
  const form = new FormData(e.target);
  act(async () => {
    const answer = await call('POST', 'students', {
      course: state.course, count: Number(form.get('count')), passed_lessons: Number(form.get('passed')),
    });
    say(t('didAdd')(answer.students.length));
    await loadStudents();
  });
});
byId('add-fault').addEventListener('submit', (e) => {
  e.preventDefault();
  const form = new FormData(e.target);
  const number = (name) => (form.get(name) ? Number(form.get(name)) : undefined);
  act(async () => {
    await call('POST', 'faults', {
      target: form.get('target'), kind: form.get('kind'), share: Number(form.get('share')) / 100,
      count: number('count'), millis: number('millis'), path: form.get('path') || undefined,
    });
    await loadFaults();
  });
});

act(start);

// What others do shows by itself, quietly; an error then waits for the next round.
setInterval(() => {
  if (document.hidden || !state.course) return;
  Promise.all([loadCalls(), loadFaults(), refreshStudent()]).catch(() => {});
}, 2000);
