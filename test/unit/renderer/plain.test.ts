import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolated, plainLine, plainLines } from '../../../renderer/store/plain.ts';
import { HOSTILE_TEXTS } from '../../e2e/fixtures/members.ts';

const TURNS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u;

describe('text from strangers', () => {
  it('turns no direction and holds no control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(plainLine(text)).not.toMatch(TURNS);
        expect(plainLine(text)).not.toMatch(/\p{Cc}/u);
        expect(plainLines(text)).not.toMatch(TURNS);
      }),
    );
  });

  it('is never longer than there is room for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect([...plainLine(text, 20)].length).toBeLessThanOrEqual(20);
      }),
    );
    expect(plainLines('x\n'.repeat(500)).split('\n').length).toBeLessThanOrEqual(20);
  });

  it('keeps its letters, of any script, and its emoji', () => {
    for (const text of [HOSTILE_TEXTS.chinese, 'مرحبا بالعالم', '👩‍👩‍👧‍👦🏳️‍🌈']) expect(plainLine(text)).toBe(text);
  });

  it('stays markup that nobody runs', () => {
    expect(plainLine(HOSTILE_TEXTS.html, 200)).toBe(HOSTILE_TEXTS.html);
  });

  it('cannot leave its isolation in a sentence', () => {
    const shown = isolated('evil\u2069\u202E');
    expect(shown).toBe('\u2068evil\u2069');
  });

  it('loses runs of empty lines', () => {
    expect(plainLines(HOSTILE_TEXTS.lines)).toBe('first line\nsecond line\n\nlast line');
  });
});
