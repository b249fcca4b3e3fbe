// Keeps a part of the page fresh while something on it is on its way. The part names where it comes from
// (data-from, the part alone or a page with it) and says itself whether there is anything to wait for (data-moves).
// The server says when to look (/dashboard/moves); where that stream does not come through, it is looked now and then,
// and without this script a reload does the same.
const shortest = 2_000; // ms
const longest = 20_000;
const together = 100; // what happens at once is looked at once

const part = document.querySelector('[data-from]');
const heard = document.querySelector('#heard'); // what a screen reader is told
// Modules that the reader folded or opened, as long as this tab lives: id -> open.
const chosen = new Map(JSON.parse(sessionStorage.getItem('modules') ?? '[]'));
let pause = shortest;
let tag = null;
let stream = null;
let next = 0; // the timer of the next look
let looking = false;

const moving = () => part.firstElementChild?.dataset.moves === 'true';
const states = () =>
  new Map([...part.querySelectorAll('[data-lesson]')].map((lesson) => [lesson.dataset.lesson, lesson]));

part.addEventListener('click', (event) => {
  const module = event.target.closest('summary')?.parentElement;
  if (!module) return;
  chosen.set(module.id, !module.open); // it is about to change
  sessionStorage.setItem('modules', JSON.stringify([...chosen]));
});

// What the reader chose stays; nothing that was open folds under his eyes.
function unfold(wereOpen) {
  for (const module of part.querySelectorAll('details')) {
    if (chosen.has(module.id)) module.open = chosen.get(module.id);
    else if (wereOpen.has(module.id)) module.open = true;
  }
}

function replace(html) {
  const before = states();
  const wereOpen = new Set([...part.querySelectorAll('details[open]')].map((module) => module.id));
  const focused = part.contains(document.activeElement) ? document.activeElement.id : '';
  const whole = new DOMParser().parseFromString(html, 'text/html').querySelector('[data-from]');
  part.innerHTML = whole ? whole.innerHTML : html;
  unfold(wereOpen);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const news = [...states()]
    .filter(([id, lesson]) => before.has(id) && before.get(id).dataset.state !== lesson.dataset.state)
    .map(([, lesson]) => (lesson.querySelector('.reason') ?? lesson.querySelector('.state')).textContent);
  if (news.length > 0) heard.textContent = news.join(' ');
  return news.length > 0;
}

async function look() {
  if (looking) return soon(); // what is on its way may have been read before the change
  looking = true;
  clearTimeout(next);
  let changed = false;
  try {
    const answer = await fetch(part.dataset.from, { headers: tag ? { 'If-None-Match': tag } : {}, redirect: 'manual' });
    if (answer.type === 'opaqueredirect' || answer.status === 403) return location.reload(); // signed out meanwhile
    if (answer.ok) {
      tag = answer.headers.get('ETag');
      changed = replace(await answer.text());
    }
  } catch {
    // not reachable for the moment: the next look is later
  }
  looking = false;
  pause = changed ? shortest : Math.min(pause * 1.4, longest);
  wait();
}

function soon(after = together) {
  clearTimeout(next);
  next = setTimeout(() => (document.hidden ? wait() : look()), after);
}

function listen() {
  if (stream) return;
  stream = new EventSource('/dashboard/moves');
  stream.addEventListener('open', () => soon()); // what happened before it stood
  stream.addEventListener('moved', () => soon());
}

function hush() {
  stream?.close();
  stream = null;
}

function wait() {
  if (!moving()) return hush();
  if (document.hidden) {
    hush(); // a browser has few connections for all its tabs
    return document.addEventListener('visibilitychange', look, { once: true });
  }
  listen();
  soon(stream.readyState === EventSource.OPEN ? longest : pause);
}

unfold(new Set());
wait();
