import { make } from '../dom.js';

let count = 0;

/** A text field with its label, a note, and a problem. */
export function fieldOf(label: string, note: string, value = ''): { element: HTMLElement; input: HTMLInputElement; setProblem(text: string): void } {
  const element = make('label', 'field add-field');
  const input = make('input');
  input.type = 'text';
  input.value = value;
  input.spellcheck = false;
  const below = make('span', 'quiet add-note', note);
  below.id = `add-note-${count++}`;
  input.setAttribute('aria-describedby', below.id);
  element.append(make('span', '', label), input, below);
  const setProblem = (text: string): void => {
    below.textContent = text || note;
    below.classList.toggle('error', text !== '');
    input.setAttribute('aria-invalid', String(text !== ''));
  };
  return { element, input, setProblem };
}
