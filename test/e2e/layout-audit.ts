/** What anyone would see is wrong with a page, whatever it shows: found in the laid out page itself. */
import type { Page } from 'playwright-core';

/** One sentence for each flaw: overflow of the window, text cut off without an ellipsis, text under something else, bare keys. */
export async function auditLayout(page: Page): Promise<string[]> {
  return await page.evaluate(audit);
}

/** Runs in the page, and so holds all it needs. */
function audit(): string[] {
  /** Half a letter of measuring error. */
  const SLACK_PX = 1.5;
  /** Lines of text may brush against their box's edge by their line spacing. */
  const SLACK_LINE_PX = 6;
  const found: string[] = [];
  const width = document.documentElement.clientWidth;
  const height = document.documentElement.clientHeight;

  if (document.documentElement.scrollWidth > width) {
    found.push(`the window scrolls sideways: ${document.documentElement.scrollWidth} px in ${width}`);
  }

  const name = (element: Element) => {
    const label =
      element.getAttribute('data-testid') ?? element.getAttribute('role') ?? element.getAttribute('class') ?? '';
    return `<${element.localName} ${label.slice(0, 60)}>`;
  };

  /** For screen readers only: drawn into a box of a pixel. */
  const unseen = (element: Element) => {
    for (let at: Element | null = element; at; at = at.parentElement) {
      const box = at.getBoundingClientRect();
      if ((box.width <= 1 || box.height <= 1) && getComputedStyle(at).overflowX !== 'visible') return true;
    }
    return !element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };

  const modal = document.querySelector('dialog:modal, [aria-modal="true"]');
  const behindDialog = (element: Element) =>
    (modal !== null && !modal.contains(element)) || element.closest('[inert]') !== null;

  const checkClipping = (text: Text, box: DOMRect, parent: Element): 'shown' | 'hidden' => {
    let ellipsis = false;
    for (let at: Element | null = parent; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      ellipsis ||= style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none';
      const clip = at.getBoundingClientRect();
      const beyondX = box.right > clip.right + SLACK_PX || box.left < clip.left - SLACK_PX;
      const beyondY = box.bottom > clip.bottom + SLACK_LINE_PX || box.top < clip.top - SLACK_LINE_PX;
      const scrollsX = style.overflowX === 'auto' || style.overflowX === 'scroll';
      const scrollsY = style.overflowY === 'auto' || style.overflowY === 'scroll';
      if ((beyondX && scrollsX) || (beyondY && scrollsY)) return 'hidden';
      const cutX = beyondX && style.overflowX !== 'visible';
      const cutY = beyondY && style.overflowY !== 'visible';
      if (cutX || cutY) {
        if (!ellipsis) found.push(`cut off in ${name(at)}: "${(text.textContent ?? '').trim().slice(0, 60)}"`);
        return 'hidden';
      }
    }
    if (box.left < -SLACK_PX || box.right > width + SLACK_PX) {
      found.push(`beyond the window: "${(text.textContent ?? '').trim().slice(0, 60)}" in ${name(parent)}`);
      return 'hidden';
    }
    return 'shown';
  };

  /** Whether the element paints over what lies below it at a point: with a background, or with letters. */
  const paintsAt = (element: Element, x: number, y: number) => {
    const { backgroundColor, backgroundImage } = getComputedStyle(element);
    if (backgroundImage !== 'none' || !/^rgba\(.*, 0\)$|^transparent$/.test(backgroundColor)) return true;
    const own = element.getBoundingClientRect();
    if (x < own.left || x > own.right || y < own.top || y > own.bottom) return false;
    const letters = document.createRange();
    letters.selectNodeContents(element);
    return [...letters.getClientRects()].some((box) => x > box.left && x < box.right && y > box.top && y < box.bottom);
  };

  const checkCovered = (text: Text, box: DOMRect, parent: Element) => {
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    if (x < 0 || y < 0 || x >= width || y >= height || behindDialog(parent)) return;
    const top = document.elementFromPoint(x, y);
    if (!top || top.contains(parent) || parent.contains(top) || getComputedStyle(parent).pointerEvents === 'none')
      return;
    if (paintsAt(top, x, y)) {
      found.push(`"${(text.textContent ?? '').trim().slice(0, 60)}" lies under ${name(top)}`);
    }
  };

  // A message that is missing shows as its key.
  const KEY = /^[a-z][A-Za-z0-9]*(\.[A-Za-z0-9_-]+)+$/;
  const data = ['.exe', '.example', '.local', '.net', '.json'];
  const checkKey = (words: string, where: Element) => {
    const bare = words.trim();
    if (KEY.test(bare) && !data.some((end) => bare.endsWith(end)))
      found.push(`untranslated in ${name(where)}: ${bare}`);
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode() as Text | null; text; text = walker.nextNode() as Text | null) {
    const parent = text.parentElement;
    if (!parent || (text.textContent ?? '').trim() === '' || parent.closest('script, style, title')) continue;
    checkKey(text.textContent ?? '', parent);
    if (unseen(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const [first, ...more] = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    if (!first) continue;
    const last = more.at(-1) ?? first;
    for (const box of first === last ? [first] : [first, last]) {
      if (checkClipping(text, box, parent) === 'shown') checkCovered(text, box, parent);
    }
  }
  for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt], [aria-description]')) {
    for (const attribute of ['aria-label', 'title', 'placeholder', 'alt', 'aria-description']) {
      checkKey(element.getAttribute(attribute) ?? '', element);
    }
  }
  return [...new Set(found)];
}
