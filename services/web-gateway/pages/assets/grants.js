// Fills the table of grants while they flow (/admin/grants/stream). A row comes as the server writes it and takes the
// place of the one with its id. What arrives is put in four times a second at most, and not at all while somebody reads
// or points at the table: then a button says how much waits.
const most = 100; // rows
const every = 250; // ms
const heardEvery = 20_000;

const live = document.querySelector('#live');
const state = document.querySelector('#live-state');
const table = document.querySelector('#grants');
const region = table.closest('.table');
const pause = document.querySelector('#pause');
const button = document.querySelector('#show-new');
const heard = document.querySelector('#heard');

const waiting = new Map(); // id -> row; the last is the newest
const gone = new Set();
let timer = 0;
let shownAt = 0;
let news = 0; // since a screen reader was told last
let heardAt = 0;

const counted = (text, n) => text.replace('{n}', n);
const paused = () => pause.getAttribute('aria-pressed') === 'true';
const reading = () => region.matches(':hover') || region.contains(document.activeElement) || document.hidden;

function take({ html, gone: left }) {
  const box = document.createElement('template');
  box.innerHTML = html;
  for (const row of [...box.content.children].reverse()) {
    waiting.delete(row.id); // it goes to the end
    waiting.set(row.id, row);
    gone.delete(row.id);
  }
  for (const id of left) {
    waiting.delete(`grant-${id}`);
    gone.add(`grant-${id}`);
  }
  for (const id of waiting.keys()) {
    if (waiting.size <= most) break;
    waiting.delete(id); // it would not stay in the table
  }
}

function show() {
  for (const id of gone) document.getElementById(id)?.remove();
  gone.clear();
  news += waiting.size;
  const rows = [...waiting.values()].reverse();
  for (const row of rows) {
    document.getElementById(row.id)?.remove();
    row.classList.add('fresh');
  }
  table.prepend(...rows);
  waiting.clear();
  while (table.rows.length > most) table.lastElementChild.remove();
  if (table.rows.length > 0) document.querySelector('#none')?.remove();
  button.hidden = true;
  shownAt = Date.now();
  tell();
}

// A summary now and then, not every row.
function tell() {
  if (news === 0 || Date.now() - heardAt < heardEvery) return;
  heard.textContent = counted(live.dataset.heard, news);
  news = 0;
  heardAt = Date.now();
}

function later() {
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    if (waiting.size === 0 && gone.size === 0) return;
    if (!paused() && !reading()) return show();
    button.hidden = waiting.size === 0;
    button.textContent = counted(live.dataset.new, waiting.size);
  }, Math.max(0, shownAt + every - Date.now()));
}

function follow() {
  live.hidden = false;
  const stream = new EventSource(live.dataset.stream); // comes back by itself, with the id of the last event
  const say = (what) => {
    live.dataset.state = what;
    state.textContent = live.dataset[what];
  };
  stream.addEventListener('open', () => say('live'));
  stream.addEventListener('error', () => say(stream.readyState === EventSource.CLOSED ? 'over' : 'broken'));
  stream.addEventListener('grants', (event) => {
    take(JSON.parse(event.data));
    later();
  });
  stream.addEventListener('times', (event) => {
    const times = document.querySelector('#times');
    const open = times.querySelector('details')?.open ?? false;
    times.innerHTML = event.data;
    const details = times.querySelector('details');
    if (details) details.open = open;
  });
  addEventListener('pagehide', () => stream.close());
}

pause.addEventListener('click', () => {
  pause.setAttribute('aria-pressed', String(!paused()));
  later();
});
button.addEventListener('click', () => {
  show();
  pause.focus(); // the button is gone, and the keyboard must not be lost with it
});
region.addEventListener('pointerleave', later);
region.addEventListener('focusout', () => setTimeout(later));
document.addEventListener('visibilitychange', later);
follow();
