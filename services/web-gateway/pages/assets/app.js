// The Mini App's pages: signs in with Telegram's word, shows the parts that the site has for this person, takes their links
// and forms over, and moves what is on its way. Paths are the site's (/dashboard, /lessons/501?course=5, /profile).
const telegram = await import(document.body.dataset.telegram);

const main = document.querySelector('#main');
const heard = document.querySelector('#heard'); // what a screen reader is told
const home = '/dashboard';
const shortest = 2_000; // ms between two looks at what is on its way, while no stream says when
const longest = 20_000;

let token = '';
let language = '';
let trail = []; // views behind the one that is shown
let shown = null; // its path; null: no view but a notice
let tag = null;
let wanted = 0; // counts views, so that an answer that comes late is dropped
let pause = shortest;
let timer = 0;
let stream = null;

// ---- What the server says ----

class Refused extends Error {
  constructor(status, html) {
    super(`refused: ${status}`);
    this.status = status;
    this.html = html;
  }
}

// Throws Refused, or TypeError where nothing comes through.
async function ask(path, { form, headers } = {}) {
  const answer = await fetch(path, {
    method: form ? 'POST' : 'GET',
    body: form && new URLSearchParams(form),
    headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
    credentials: 'omit', // the site's session, where this browser has one, is nothing to the app
    redirect: 'error',
  });
  if (answer.ok || answer.status === 304) return answer;
  throw new Refused(answer.status, await answer.text());
}

async function signIn() {
  token = '';
  const answer = await ask('/app/session', { form: { init_data: telegram.launch.initData } });
  const session = await answer.json();
  token = session.token;
  language = session.language;
  telegram.keep({ language });
  telegram.settle(token);
  document.documentElement.lang = language;
  return session.start;
}

// ---- Notices instead of a view ----

function notice(content) {
  hush();
  shown = null;
  wanted += 1;
  if (typeof content === 'string') main.innerHTML = content;
  else main.replaceChildren(content);
  telegram.mainButton(null);
  telegram.backButton(trail.length > 0 ? back : null);
  main.focus();
}

function template(id) {
  return document.getElementById(id).content.cloneNode(true);
}

function isOver(content = template('ended')) {
  token = '';
  telegram.keep({ token: '' });
  trail = [];
  notice(content);
}

// `again` is what was tried; a session that has ended begins anew once, where Telegram's word still counts.
function failed(error, again) {
  if (!(error instanceof Refused)) {
    notice(template('unreachable'));
    main.querySelector('[data-again]').addEventListener('click', again, { once: true });
  } else if (error.status === 401) isOver();
  else notice(error.html);
}

// ---- Views ----

const addressOf = (path) => `/app${path === home ? '' : path}`;
const partOf = (path) => `/app/parts${path}`;

async function show(path, remember = true) {
  const mine = (wanted += 1);
  main.setAttribute('aria-busy', 'true');
  try {
    const answer = await ask(partOf(path));
    const html = await answer.text();
    if (mine !== wanted) return false;
    hush();
    if (remember && shown !== null && shown !== path) trail.push(shown);
    if (path === home) trail = [];
    shown = path;
    tag = answer.headers.get('ETag');
    window.history.replaceState(null, '', addressOf(path) + window.location.hash);
    main.innerHTML = html;
    unfold(new Set());
    settleView();
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
    return true;
  } catch (error) {
    if (mine === wanted) failed(error, () => show(path, remember));
    return false;
  } finally {
    if (mine === wanted || shown === null) main.removeAttribute('aria-busy');
  }
}

function back() {
  show(trail.pop() ?? home, false);
}

// After each change of what is shown: the title, Telegram's buttons, and whether to wait for something.
function settleView() {
  document.title = `${main.querySelector('h1')?.textContent ?? ''} · Coursegate`;
  telegram.backButton(shown === home ? null : back);
  offerMain();
  pause = shortest;
  wait();
}

// Telegram's main button does what the first button of the view does.
function offerMain(isBusy = false) {
  const first = main.querySelector('form.player button, .check button');
  telegram.mainButton(first ? { text: first.textContent.trim(), does: () => first.click() } : null, isBusy);
}

// ---- Links and forms ----

const isView = (url) => url.origin === window.location.origin && /^\/(dashboard|profile|lessons\/\d+)$/.test(url.pathname);

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]');
  if (link) {
    const url = new URL(link.href);
    const stays = token && isView(url) && link.dataset.outside === undefined && main.contains(link);
    if (!stays && !telegram.isThere) return; // outside Telegram a link is a link
    event.preventDefault();
    if (stays) show(url.pathname + url.search);
    else telegram.openOutside(url);
    return;
  }
  const module = event.target.closest('summary')?.parentElement;
  if (module?.id) chosen.set(module.id, !module.open); // it is about to change
});

main.addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector('button');
  if (button.disabled) return;
  button.disabled = true;
  offerMain(true);
  try {
    await send(form);
  } catch (error) {
    failed(error, () => show(shown ?? home, false));
  } finally {
    button.disabled = false;
    if (shown !== null) offerMain();
  }
});

async function send(form) {
  const path = new URL(form.action).pathname;
  const answer = await ask(`/app${path}`, { form: new FormData(form) });
  if (path === '/session/end') {
    isOver(await answer.text());
    return;
  }
  if (path === '/profile') {
    language = form.elements.language.value;
    telegram.keep({ language });
    document.documentElement.lang = language;
  }
  const frame = form.matches('.player') ? (await answer.json()).frame : '';
  if (frame) play(form, frame);
  else await look(); // what was asked for shows in what is there now
}

// The player's link is made when it is asked for and works once: the frame comes with it.
function play(form, address) {
  const frame = document.createElement('iframe');
  frame.className = 'player';
  frame.title = form.dataset.title;
  frame.allow = 'autoplay; encrypted-media; fullscreen; picture-in-picture';
  frame.allowFullscreen = true;
  frame.referrerPolicy = 'strict-origin';
  frame.src = address;
  form.replaceWith(frame);
  frame.focus();
}

// ---- What is on its way ----

const chosen = new Map(); // modules that the reader folded or opened: id -> open
const moving = () => main.querySelector('[data-moves]')?.dataset.moves === 'true';
const states = () => new Map([...main.querySelectorAll('[data-lesson]')].map((lesson) => [lesson.dataset.lesson, lesson]));

// What the reader chose stays; nothing that was open folds under his eyes.
function unfold(wereOpen) {
  for (const module of main.querySelectorAll('details')) {
    if (chosen.has(module.id)) module.open = chosen.get(module.id);
    else if (wereOpen.has(module.id)) module.open = true;
  }
}

function replace(html) {
  const before = states();
  const wereOpen = new Set([...main.querySelectorAll('details[open]')].map((module) => module.id));
  const focused = main.contains(document.activeElement) ? document.activeElement.id : '';
  main.innerHTML = html;
  unfold(wereOpen);
  if (focused && focused !== 'main') document.getElementById(focused)?.focus({ preventScroll: true });
  const news = [...states()]
    .filter(([id, lesson]) => before.has(id) && before.get(id).dataset.state !== lesson.dataset.state)
    .map(([, lesson]) => (lesson.querySelector('.reason') ?? lesson.querySelector('.state')).textContent);
  if (news.length > 0) heard.textContent = news.join(' ');
}

// The view once more, as it is now; where nothing has changed nothing is touched.
async function look() {
  const path = shown;
  const mine = wanted;
  if (path === null) return; // a notice
  try {
    const answer = await ask(partOf(path), { headers: tag ? { 'If-None-Match': tag } : {} });
    const html = answer.status === 304 ? '' : await answer.text();
    if (mine !== wanted) return; // another view by now
    if (html) {
      tag = answer.headers.get('ETag');
      replace(html);
      settleView();
      return;
    }
    pause = Math.min(pause * 1.4, longest);
  } catch (error) {
    if (mine !== wanted) return;
    if (error instanceof Refused && error.status !== 503) {
      failed(error, () => show(path, false));
      return;
    }
    pause = longest; // not reachable for the moment
  }
  wait();
}

function hush() {
  clearTimeout(timer);
  stream?.abort();
  stream = null;
}

// The server says when to look: the site's stream of moves, read by fetch because an EventSource sends no token.
async function listen() {
  const mine = (stream = new AbortController());
  try {
    const answer = await fetch('/app/moves', { headers: { Authorization: `Bearer ${token}` }, credentials: 'omit', signal: mine.signal });
    if (!answer.ok) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const { value, done } = await reader.read();
      if (done) break;
      rest += value;
      if (rest.includes('event: moved')) soon(100); // what happens at once is looked at once
      rest = rest.slice(rest.lastIndexOf('\n') + 1);
    }
  } catch {
    // it broke, or is not wanted any more: looking now and then goes on
  } finally {
    if (stream === mine) stream = null;
  }
}

function soon(after) {
  clearTimeout(timer);
  timer = setTimeout(look, after);
}

function wait() {
  if (!moving()) {
    hush();
    return;
  }
  if (document.hidden) {
    hush();
    document.addEventListener('visibilitychange', look, { once: true });
    return;
  }
  if (!stream) listen();
  soon(pause);
}

// ---- The beginning ----

// Where the address or the link that opened the app leads to.
function wish(start) {
  const path = window.location.pathname.replace(/^\/app/, '');
  const watch = /^\/watch\/(\d+)\/(\d+)$/.exec(path);
  if (watch) return { path: `/lessons/${watch[1]}`, part: watch[2] };
  const course = new URLSearchParams(window.location.search).get('course');
  return { path: path === '' || path === '/' ? start || home : path + (course ? `?course=${encodeURIComponent(course)}` : '') };
}

async function begin() {
  let start = '';
  try {
    if (telegram.launch.initData) start = await signIn();
    else {
      token = telegram.kept.token ?? '';
      document.documentElement.lang = telegram.kept.language ?? document.documentElement.lang;
    }
  } catch (error) {
    failed(error, begin);
    return;
  }
  if (!token) {
    notice(template(telegram.isThere ? 'nobody' : 'outside'));
    return;
  }
  const { path, part } = wish(start);
  const is = await show(path, false);
  if (is && part) main.querySelector(`#part-${part} form.player`)?.requestSubmit();
}

telegram.ready();
await begin();
