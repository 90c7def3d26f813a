// The code blocks of the documents.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** README.md, that of kiln-leaflet, and the pages of docs/ and examples/. */
export function documents() {
  const files = ['docs', 'examples', 'web/kiln-leaflet', 'data'].flatMap((folder) =>
    readdirSync(`${root}/${folder}`, { recursive: true }).filter((name) => !/node_modules/.test(name)).map((name) => `${folder}/${name}`),
  );
  return ['README.md', 'CONTRIBUTING.md', ...files.filter((file) => file.endsWith('.md')).sort()];
}

/** The fenced blocks of a document: its file, line, language and text. */
export function blocksOf(file) {
  const blocks = [];
  let block = null;
  for (const [i, line] of readFileSync(`${root}/${file}`, 'utf8').split('\n').entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*(.*)$/.exec(line);
    if (fence && !block) block = { file, line: i + 1, language: fence[2].split(' ')[0], fence: fence[1], lines: [] };
    else if (fence && fence[1] === block.fence && !fence[2]) {
      const { fence: _, lines, ...rest } = block;
      blocks.push({ ...rest, text: lines.join('\n') });
      block = null;
    } else block?.lines.push(line);
  }
  return blocks;
}

/** The commands of `sh` blocks, with their here-documents and continued lines. */
export function commandsOf(blocks) {
  const commands = [];
  for (const { text } of blocks.filter(({ language }) => language === 'sh')) {
    const lines = text.split('\n');
    for (let i = 0; i < lines.length; i++) {
      const command = [lines[i]];
      while (lines[i].endsWith('\\')) command.push(lines[++i]);
      const end = /<<-?'?(\w+)'?/.exec(command.join('\n'))?.[1];
      if (end) do command.push(lines[++i]); while (lines[i].trim() !== end);
      commands.push(command.join('\n'));
    }
  }
  return commands;
}
