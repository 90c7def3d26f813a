import { tileJsonUrl, type View } from './view.js';

/** A text as an argument of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Commands that save the view as a picture, its legend, and the TileJSON of the layer. */
export function curl(view: View): string {
  const { layer, picture, legend } = view;
  const save = (name: string, url: string) => `curl --fail -o ${name} ${quoted(url)}`;
  return [
    '# The view as one picture, and its legend.',
    save(`${layer}.png`, picture),
    save(`${layer}.legend.png`, legend),
    '# The TileJSON of the layer, which has the URL of the tiles.',
    save(`${layer}.json`, tileJsonUrl(view)),
  ].join('\n');
}
