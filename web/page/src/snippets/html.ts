import { escaped } from '../dom.js';

/** An HTML page with a map. */
interface Page {
  title: string;
  /** Lines of the head: style sheets and scripts. */
  head: string[];
  css?: string[];
  /** Lines of the script. */
  script: string[];
  /** Whether the script imports modules or waits for responses. */
  isModule: boolean;
  /** Lines after the script. */
  foot?: string[];
}

const indented = (lines: string[], by: string) => lines.map((line) => (line ? by + line : line));

/** The text of a page whose map fills the window. */
export function pageOf({ title, head, css = [], script, isModule, foot = [] }: Page): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '  <meta charset="utf-8">',
    '  <meta name="viewport" content="width=device-width, initial-scale=1">',
    `  <title>${escaped(title)}</title>`,
    ...indented(head, '  '),
    '  <style>',
    ...indented(['html, body, #map { height: 100%; margin: 0; }', ...css], '    '),
    '  </style>',
    '</head>',
    '<body>',
    '<div id="map"></div>',
    `<script${isModule ? ' type="module"' : ''}>`,
    ...indented(script, '  '),
    '</script>',
    ...foot,
    '</body>',
    '</html>',
  ].join('\n');
}
