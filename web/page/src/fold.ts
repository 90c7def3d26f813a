import { byId } from './dom.js';

/** Lets a button fold the controls. On a narrow screen they are folded at first. */
export function foldable(): void {
  const fold = (isFolded: boolean) => {
    byId('fold').setAttribute('aria-expanded', String(!isFolded));
    byId('controls').hidden = isFolded;
  };
  byId('fold').addEventListener('click', () => fold(byId('fold').getAttribute('aria-expanded') === 'true'));
  fold(innerWidth < 700);
  for (const part of byId('controls').querySelectorAll('details')) {
    part.addEventListener('toggle', () => part.open && part.scrollIntoView({ block: 'nearest' }));
  }
}
