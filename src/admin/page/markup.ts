const tile = (id: string, title: string) =>
  `<div class="tile"><dt>${title}</dt><dd><b id="${id}">–</b> <span id="${id}-note"></span></dd></div>`

const plot = (id: string, title: string, note: string) =>
  `<section class="card" id="card-${id}" aria-labelledby="title-${id}">
    <h2 id="title-${id}">${title}</h2><p class="note">${note}</p>
    <div class="plot" id="plot-${id}"></div>
  </section>`

/** Everything that moves is written by live.js; this is what there is to move. */
export const MARKUP = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>logtrail-bff status</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/style.css">
<script type="module" src="/page/live.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the figures</a>
<header>
  <h1>logtrail-bff</h1>
  <p class="state"><span id="state" class="pill" data-state="unknown">connecting</span> <span id="state-note"></span></p>
  <p class="about" id="about"></p>
  <p class="watch"><span id="connection">connecting …</span> <button type="button" id="pause" aria-pressed="false">Pause</button></p>
</header>
<p id="announce" class="aside" role="status"></p>
<main id="main" tabindex="-1">
  <noscript><p class="card">This page needs JavaScript. The same is at <a href="/status">/status</a> as JSON and at <a href="/metrics">/metrics</a>.</p></noscript>
  <dl class="tiles" aria-label="The last minute">
    ${tile('requests', 'Requests')}
    ${tile('refused', 'Refused')}
    ${tile('latency', 'Latency, p95')}
    ${tile('entries', 'Entries delivered')}
    ${tile('waiting', 'Waiting')}
    ${tile('budget', 'Budget left')}
  </dl>
  <div class="plots">
    ${plot('throughput', 'Throughput', 'Requests of browsers, a second')}
    ${plot('entries', 'Entries', 'Log entries, a second')}
    ${plot('latency', 'Latency', 'From a request’s first byte to its answer’s last, over 10 s')}
    ${plot('upstream', 'Logtrail’s latency', 'Requests to Logtrail, over 10 s')}
    ${plot('waiting', 'Queue depth', 'Entries that wait for delivery')}
    ${plot('age', 'Queue age', 'How long the oldest entry has waited')}
    ${plot('budget', 'Budget', 'Requests to Logtrail that may be sent at once')}
    <section class="card" aria-labelledby="title-refusals">
      <h2 id="title-refusals">Refusals by reason</h2><p class="note">The last five minutes</p>
      <ol id="refusals" class="bars"></ol>
    </section>
  </div>
  <div class="lists">
    <section class="card" aria-labelledby="title-checks"><h2 id="title-checks">Checks</h2><p class="note">As <a href="/readyz">/readyz</a> tells them</p><ul id="checks" class="rows"></ul></section>
    <section class="card" aria-labelledby="title-keys"><h2 id="title-keys">API keys</h2><p class="note">By fingerprint: the key itself is never shown</p><ul id="keys" class="rows"></ul></section>
    <section class="card" aria-labelledby="title-books"><h2 id="title-books">Books</h2><p class="note" id="books-note">Entries since the start</p><dl id="books" class="books"></dl></section>
  </div>
  <section class="card" aria-labelledby="title-limits">
    <h2 id="title-limits">Limits in force</h2><p class="note">Each with the variable that sets it</p>
    <dl id="limits" class="limits"></dl>
  </section>
</main>
<footer><p>Reading only: nothing can be changed here. Also <a href="/status">/status</a>, <a href="/metrics">/metrics</a>, <a href="/healthz">/healthz</a>.</p></footer>
</body>
</html>
`
