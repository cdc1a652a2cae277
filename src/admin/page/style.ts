export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#2a78d6"/><path d="M3 11l3-4 3 2 4-5" fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>`

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #ffffff; --line: #e2e1dc; --grid: #eceae5;
  --ink: #14140f; --soft: #55544e; --link: #1b5cab; --focus: #1b5cab;
  --one: #2a78d6; --two: #c2410c; --wash: #2a78d61f;
  --low: #6da7ec; --mid: #2a78d6; --high: #104281;
  --good: #0a6b0a; --good-wash: #e3f4e3; --warn: #7a4b00; --warn-wash: #fdf0d2; --bad: #a82020; --bad-wash: #fbe4e4;
  --bar: #d03b3b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f0f0e; --card: #1a1a19; --line: #33332f; --grid: #2a2a27;
    --ink: #f4f4f0; --soft: #b5b4ac; --link: #86b6ef; --focus: #86b6ef;
    --one: #3987e5; --two: #f0834a; --wash: #3987e526;
    --low: #2f74cc; --mid: #6da7ec; --high: #cde2fb;
    --good: #7ddb7d; --good-wash: #12300f; --warn: #fbc65a; --warn-wash: #3a2a05; --bad: #ff9c9c; --bad-wash: #431515;
    --bar: #e66767;
  }
}
* { box-sizing: border-box; }
html { font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1320px; padding: 20px 24px 40px; }
h1, h2, p, dl, dd, ul, ol { margin: 0; padding: 0; }
ul, ol { list-style: none; }
h1 { font-size: 1.3rem; letter-spacing: -.01em; }
h2 { font-size: 1rem; font-weight: 600; }
a { color: var(--link); }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
.skip { position: absolute; left: -9999px; }
.skip:focus { left: 16px; top: 8px; background: var(--card); padding: 6px 10px; z-index: 2; }
.aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px; margin-bottom: 16px; }
.about, .note, .watch, #state-note, footer { color: var(--soft); }
.about { flex: 1 1 16rem; font-variant-numeric: tabular-nums; }
.watch { display: flex; align-items: center; gap: 10px; }
button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 4px 12px; min-height: 32px; cursor: pointer; }
button:hover { border-color: var(--soft); }
button[aria-pressed="true"] { background: var(--ink); color: var(--page); border-color: var(--ink); }
.pill { display: inline-block; padding: 2px 10px; border-radius: 99px; font-weight: 600; background: var(--grid); color: var(--soft); }
.pill::before { content: "? "; }
[data-state="ok"] { background: var(--good-wash); color: var(--good); }
[data-state="ok"]::before { content: "✓ "; }
[data-state="warn"] { background: var(--warn-wash); color: var(--warn); }
[data-state="warn"]::before { content: "! "; }
[data-state="bad"] { background: var(--bad-wash); color: var(--bad); }
[data-state="bad"]::before { content: "✕ "; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
.note { font-size: .87rem; }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 1px; background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; margin-bottom: 16px; }
.tile { background: var(--card); padding: 12px 16px; min-width: 0; }
.tile[hidden] { display: none; }
.tile dt { color: var(--soft); font-size: .87rem; }
.tile b { font-size: 1.65rem; font-weight: 600; letter-spacing: -.02em; line-height: 1.25; }
.tile dd { font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: .87rem; color: var(--soft); min-height: 1.45em; }
.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin-bottom: 16px; }
.lists { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; margin-bottom: 16px; }
[hidden] { display: none !important; }

.plot { position: relative; margin-top: 8px; }
.plot svg { display: block; width: 100%; height: 150px; overflow: visible; }
.plot .grid { stroke: var(--grid); stroke-width: 1; shape-rendering: crispEdges; }
.plot .base { stroke: var(--line); }
.plot text { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.plot .series { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.plot .area { fill: var(--wash); stroke: none; }
.one { stroke: var(--one); } .two { stroke: var(--two); stroke-dasharray: 5 4; }
.low { stroke: var(--low); } .mid { stroke: var(--mid); stroke-dasharray: 7 3; } .high { stroke: var(--high); stroke-dasharray: 2 4; }
.plot .cross { stroke: var(--soft); stroke-width: 1; }
.plot .empty { text-anchor: middle; font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 4px; font-size: .87rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.legend svg { display: inline-block; width: 24px; height: 8px; margin-right: 6px; vertical-align: middle; }
.legend line { stroke-width: 2.5; }
.legend b { color: var(--ink); font-weight: 600; }
.legend .when { margin-left: auto; }
.reader { border-radius: 6px; touch-action: pan-y; }

.bars { margin-top: 10px; display: grid; gap: 8px; }
.bars li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px 12px; }
.bars svg { grid-column: 1 / -1; width: 100%; height: 6px; display: block; }
.bars rect { fill: var(--bar); }
.bars .rail { fill: var(--grid); }
.bars b, .rows b { font-variant-numeric: tabular-nums; }
.none { color: var(--soft); }
.rows { margin-top: 8px; }
.rows li { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; padding: 7px 0; border-top: 1px solid var(--grid); }
.rows li:first-child { border-top: 0; }
.rows .pill { font-size: .82rem; padding: 1px 8px; }
.rows .why { flex: 1 1 12rem; color: var(--soft); overflow-wrap: anywhere; }
.books { margin-top: 8px; font-variant-numeric: tabular-nums; }
.books div { display: flex; justify-content: space-between; gap: 12px; padding: 3px 0; }
.books .sum { border-top: 1px solid var(--line); font-weight: 600; margin-top: 4px; }
.limits { margin-top: 8px; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 32px; }
.limits > div { padding: 9px 0; border-top: 1px solid var(--grid); }
.limits .head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px; }
.limits .value { font-weight: 600; font-variant-numeric: tabular-nums; }
.limits .meaning { color: var(--soft); font-size: .87rem; }
footer { margin-top: 20px; font-size: .87rem; }
@media (max-width: 900px) {
  .plots, .lists, .limits { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(3, 1fr); }
}
@media (max-width: 560px) {
  body { padding: 14px 12px 32px; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .tile { padding: 10px 12px; }
  .tile b { font-size: 1.4rem; }
  .card { padding: 12px; }
  .about { flex-basis: 100%; order: 3; }
  .watch { margin-left: auto; }
}
@media (forced-colors: active) {
  .plot .series, .legend line { stroke: CanvasText; }
  .pill { border: 1px solid CanvasText; }
}
@media (prefers-reduced-motion: no-preference) {
  .bars rect { transition: width .3s ease-out; }
}
`
