// The Telegram client around this page: what it says at the launch, its events, its colours and insets, its two buttons.
// These are the web events that Telegram's own script speaks; we speak them ourselves, so that no script of another
// origin runs here (docs/decisions/0007).

// ---- The launch ----

const storage = (() => {
  try {
    return window.sessionStorage;
  } catch {
    return null; // a browser that keeps nothing for pages in a frame of another site
  }
})();

function stored() {
  try {
    return JSON.parse(storage?.getItem('app') ?? '{}');
  } catch {
    return {};
  }
}

// Whether it is kept: for as long as this tab lives, also when it is loaded again.
export function keep(what) {
  try {
    storage.setItem('app', JSON.stringify({ ...stored(), ...what }));
    return true;
  } catch {
    return false;
  }
}

export const kept = stored();

// Telegram puts its word behind the '#'.
function takeLaunch() {
  const told = new URLSearchParams(window.location.hash.replace(/^#(.*\?)?/, ''));
  let theme = null;
  try {
    theme = JSON.parse(told.get('tgWebAppThemeParams') ?? 'null');
  } catch {
    // colours that can't be read are none
  }
  const out = {
    initData: told.get('tgWebAppData') ?? '',
    version: told.get('tgWebAppVersion') ?? kept.version ?? '',
    theme: theme ?? kept.theme ?? {},
  };
  keep({ version: out.version, theme: out.theme });
  return out;
}

export const launch = takeLaunch();

// Telegram's word opens a session, so it does not stay in the address, unless it is needed to load this page again.
export function settle(token) {
  if (keep({ token })) window.history.replaceState(null, '', window.location.pathname + window.location.search);
}

// ---- Events ----

const inFrame = window.parent !== window;
const hears = new Map(); // event -> what to do

export function on(event, does) {
  hears.set(event, does);
}

function receive(event, data) {
  hears.get(event)?.(data ?? {});
}

export function post(event, data = '') {
  if (window.TelegramWebviewProxy) window.TelegramWebviewProxy.postEvent(event, JSON.stringify(data));
  else if (typeof window.external?.notify === 'function') window.external.notify(JSON.stringify({ eventType: event, eventData: data }));
  else if (inFrame) window.parent.postMessage(JSON.stringify({ eventType: event, eventData: data }), '*'); // nothing secret
}

// The names by which the apps call in.
window.Telegram = { WebView: { receiveEvent: receive } };
window.TelegramGameProxy = { receiveEvent: receive };
window.TelegramGameProxy_receiveEvent = receive;
window.addEventListener('message', (message) => {
  if (!inFrame || message.source !== window.parent) return;
  let said;
  try {
    said = JSON.parse(message.data);
  } catch {
    return;
  }
  if (typeof said?.eventType === 'string') receive(said.eventType, said.eventData);
});

// False where the page was opened in an ordinary browser: links are links there.
export const isThere = launch.version !== '' && (inFrame || window.TelegramWebviewProxy !== undefined ||
  typeof window.external?.notify === 'function');

export function isAtLeast(version) {
  const [major, minor] = launch.version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = version.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && (minor || 0) >= wantedMinor);
}

// ---- Colours ----
//
// Telegram's are made for its own pages, where a hint may be faint. What must be read here moves towards the ink until it
// has a contrast of 4.5 : 1 on both papers.

const root = document.documentElement;
const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
const mixed = (from, to, share) => `#${parts(from).map((value, i) => Math.round(value + (parts(to)[i] - value) * share)
  .toString(16).padStart(2, '0')).join('')}`;

function luminance(colour) {
  const [r, g, b] = parts(colour).map((value) => value / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const isReadable = (colour, papers) => papers.every((paper) => contrast(colour, paper) >= 4.5);

function readable(colour, papers, ink) {
  for (let share = 0; share < 1; share += 0.1) {
    const tried = mixed(colour, ink, share);
    if (isReadable(tried, papers)) return tried;
  }
  return ink;
}

let buttonColours = {};

function paint(theme) {
  const given = (name) => (/^#[0-9a-f]{6}$/i.test(theme?.[name] ?? '') ? theme[name].toLowerCase() : null);
  const paper = given('bg_color');
  if (!paper) return; // the site's own colours, by what the device prefers
  const scheme = luminance(paper) < 0.18 ? 'dark' : 'light';
  const extreme = scheme === 'dark' ? '#ffffff' : '#000000';
  const wishes = given('secondary_bg_color') ?? mixed(paper, extreme, 0.05);
  const raised = contrast(extreme, wishes) >= 7 ? wishes : mixed(paper, extreme, 0.05);
  const papers = [paper, raised];
  const ink = readable(given('text_color') ?? extreme, papers, extreme);
  const accent = readable(given('accent_text_color') ?? given('link_color') ?? given('button_color') ?? ink, papers, ink);
  const put = (name, colour) => root.style.setProperty(`--${name}`, colour);

  root.dataset.scheme = scheme;
  root.style.colorScheme = scheme;
  put('paper', paper);
  put('raised', raised);
  put('line', mixed(paper, ink, 0.18));
  put('ink', ink);
  put('soft', readable(given('subtitle_text_color') ?? given('hint_color') ?? mixed(ink, paper, 0.3), papers, ink));
  put('accent', accent);
  put('on-accent', [given('button_text_color'), '#ffffff', '#000000', paper].find((c) => c && isReadable(c, [accent])) ?? paper);
  for (const name of ['open', 'moving', 'locked']) {
    root.style.removeProperty(`--${name}`);
    put(name, readable(getComputedStyle(root).getPropertyValue(`--${name}`).trim(), papers, ink));
  }
  buttonColours = { color: given('button_color') ?? accent, text_color: given('button_text_color') ?? '#ffffff' };
}

function inset(prefix, data) {
  for (const side of ['top', 'right', 'bottom', 'left']) {
    if (Number.isFinite(data[side])) root.style.setProperty(`--${prefix}-${side}`, `${data[side]}px`);
  }
}

// ---- Its buttons ----

let pressedBack = () => {};
let pressedMain = () => {};
let main = null;

export function backButton(does) {
  pressedBack = does ?? (() => {});
  if (isAtLeast('6.1')) post('web_app_setup_back_button', { is_visible: does !== null });
}

// `button`: { text, does }, or nothing to hide it.
export function mainButton(button, isBusy = false) {
  main = button;
  pressedMain = button?.does ?? (() => {});
  post('web_app_setup_main_button', button
    ? { is_visible: true, is_active: !isBusy, is_progress_visible: isBusy, text: button.text, ...buttonColours }
    : { is_visible: false });
}

// Where the link is not for this page: Telegram opens a browser or a chat.
export function openOutside(url) {
  if (url.protocol === 'https:' && url.hostname === 't.me') post('web_app_open_tg_link', { path_full: url.pathname + url.search });
  else post('web_app_open_link', { url: url.href });
}

on('back_button_pressed', () => pressedBack());
on('main_button_pressed', () => pressedMain());
on('theme_changed', ({ theme_params: theme }) => {
  keep({ theme });
  paint(theme);
  mainButton(main);
});
on('safe_area_changed', (data) => inset('safe', data));
on('content_safe_area_changed', (data) => inset('content-safe', data));
on('reload_iframe', () => {
  post('iframe_will_reload');
  window.location.reload();
});

paint(launch.theme);

// Telegram shows the page when it is told so, and answers what it is asked for.
export function ready() {
  if (inFrame) post('iframe_ready', { reload_supported: true });
  post('web_app_ready');
  post('web_app_expand');
  post('web_app_request_theme');
  if (isAtLeast('8.0')) {
    post('web_app_request_safe_area');
    post('web_app_request_content_safe_area');
  }
}
