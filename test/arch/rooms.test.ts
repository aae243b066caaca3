import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cycles, ROOM_RULES, readImports, violations } from './rooms.ts';

const root = join(import.meta.dirname, '../..');
const fixture = join(import.meta.dirname, 'fixture');

describe('the rooms of the house', () => {
  const imports = readImports(root, ['protocol', 'engine', 'native', 'server', 'cli', 'electron', 'renderer']);

  it('import only what the table allows', () => {
    expect(imports.length).toBeGreaterThan(50);
    expect(violations(ROOM_RULES, imports)).toEqual([]);
  });

  it('have no import cycle', () => {
    expect(cycles(imports)).toEqual([]);
  });

  it('would be caught importing what they may not, or in a circle', () => {
    const illegal = readImports(fixture, ['protocol', 'engine']);
    expect(violations(ROOM_RULES, illegal)).toEqual([
      'protocol/illegal.ts may not import node:fs',
      'protocol/illegal.ts may not import engine/core/b.ts',
    ]);
    expect(cycles(illegal)).toEqual([['engine/core/b.ts', 'engine/core/c.ts']]);
  });
});
