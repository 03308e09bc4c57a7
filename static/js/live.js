// The connection pill, and what hx-sse leaves to us: retrying the first connect, noticing a dead link, a new version.
(() => {
  const root = document.documentElement;
  const live = document.getElementById('live');
  const pill = document.getElementById('pill');
  if (!live) return;
  const words = { wait: 'Connecting', live: 'Live', retry: 'Reconnecting', away: 'No coordinator' };
  let connection = null;
  let last = Date.now();
  let wait = 1000;
  let up = 'live';
  const say = (state) => {
    root.dataset.live = state;
    if (pill.textContent !== words[state]) pill.textContent = words[state];
  };
  const mine = (e) => e.detail?.ctx?.sourceElement === live;
  const again = () => {
    say('retry');
    setTimeout(() => htmx.ajax('GET', live.getAttribute('hx-sse:connect'), { source: live }), wait);
    wait = Math.min(wait * 2, 5000);
  };
  say('wait');
  document.addEventListener('htmx:sse:after:connection', (e) => {
    connection = e.detail.connection;
    last = Date.now();
    wait = 1000;
    say((up = 'live'));
  });
  document.addEventListener('htmx:sse:before:message', () => {
    last = Date.now();
    if (root.dataset.live !== up) say(up);
  });
  document.addEventListener('htmx:sse:error', (e) => (e.detail.status === 401 ? location.reload() : say('retry')));
  // the stream ended: it comes back by itself, and until then the page says so
  document.addEventListener('htmx:sse:before:connection', () => connection && say('retry'));
  document.addEventListener('htmx:error', (e) => mine(e) && !live._htmx?.sse && again());
  document.addEventListener('htmx:response:error', (e) => {
    if (mine(e)) e.detail.ctx.response.status === 401 ? location.reload() : again();
  });
  // this node answers, but nobody coordinates: the stream ends as soon as somebody does, and the next one is whole again
  live.addEventListener('away', () => say((up = 'away')));
  live.addEventListener('build', (e) => {
    if (e.detail.data !== live.dataset.build && !document.querySelector('dialog[open]')) location.reload();
  });
  setInterval(() => {
    if (!connection || document.hidden || Date.now() - last < 20000) return;
    say('retry');
    last = Date.now();
    connection.reader?.cancel();
  }, 2000);
})();
