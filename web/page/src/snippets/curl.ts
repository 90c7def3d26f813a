import { tileJsonUrl, type View } from './view.js';

/** A text as an argument of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Commands that save the view as a picture, its legend, and the TileJSON of the layer. A key is in a variable, and so not in the history of the shell. */
export function curl(view: View): string {
  const { layer, picture, legend, key } = view;
  const header = key.query && !key.isSigned ? ' -H "Authorization: Bearer $KILN_KEY"' : '';
  const signature = key.isSigned ? `&${key.query}` : '';
  const save = (name: string, url: string) => `curl --fail${header} -o ${name} ${quoted(url)}`;
  return [
    ...(header ? ['# KILN_KEY is a key of the server.'] : []),
    '# The view as one picture, and its legend.',
    save(`${layer}.png`, picture + signature),
    save(`${layer}.legend.png`, legend + signature),
    '# The TileJSON of the layer, which has the URL of the tiles.',
    save(`${layer}.json`, tileJsonUrl(header ? { ...view, key: { ...key, query: '' } } : view)),
  ].join('\n');
}
