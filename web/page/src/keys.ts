/** Marks the page while it is used by keyboard: only then the map shows a focus ring. */
export function markKeyboardUse(): void {
  addEventListener('keydown', () => (document.documentElement.dataset['keys'] = ''), true);
  addEventListener('pointerdown', () => delete document.documentElement.dataset['keys'], true);
}
