// Stands in for Boomstream's player: tells the page around it what happens, in the messages the real one sends.

const { code, state } = document.body.dataset;
const tell = (message) => window.parent?.postMessage({ code, ...message }, '*');

if (state === 'plays') {
  const button = document.getElementById('play');
  const shown = document.getElementById('time');
  let seconds = 0;
  let timer = 0;
  tell({ method: 'loaded' });
  button.addEventListener('click', () => {
    if (timer) {
      clearInterval(timer);
      timer = 0;
      button.textContent = '▶ Смотреть';
      tell({ method: 'pause', time: seconds });
      return;
    }
    button.textContent = '❚❚ Пауза';
    tell({ method: 'play', time: seconds });
    timer = setInterval(() => {
      seconds += 1;
      shown.textContent = `${seconds} с`;
      tell({ method: 'time', time: seconds });
    }, 1000);
  });
}
