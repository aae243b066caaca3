import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GAMES, gameTable, groupsOf, recognise } from '../../../engine/core/discovery/games.ts';
import { loadGames } from '../../../engine/net/state/games.ts';
import { GAME_ROWS } from '../../lab/games/table.ts';

const LIMITED = '255.255.255.255';
const ROOM = '10.64.15.255';

describe('the table of games', () => {
  it('is in the form that people write theirs in', () => {
    expect(gameTable.parse(structuredClone(GAMES))).toEqual(GAMES);
  });

  it.each(GAME_ROWS.map((row) => [row.name, row] as const))('knows the packets of %s', (_, { to, ports, hex }) => {
    const ip = to === 'room' || to === 'lan' ? ROOM : to;
    for (const port of ports) expect(recognise(GAMES, { ip, port }, Buffer.from(hex, 'hex'))).not.toBeNull();
  });
});

describe('games that a person added', () => {
  let folder: string;
  let logged: string[];
  const load = () => loadGames(folder, (_, message) => logged.push(message));
  const write = (text: string) => writeFileSync(join(folder, 'games.json'), text);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'warren-games-'));
    logged = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('are known by their ports, hosts by their first bytes, with the groups that they use', () => {
    write('[{ "name": "Hex Wars", "ports": [[9000, 9002]], "group": "239.1.2.3", "host": ["48..58"] }]');
    const games = load();
    const to = { ip: '239.1.2.3', port: 9001 };
    expect(recognise(games, to, Buffer.from('HEX'))).toEqual({ name: 'Hex Wars', host: true });
    expect(recognise(games, to, Buffer.from('??'))).toEqual({ name: 'Hex Wars', host: false });
    expect(recognise(games, { ip: LIMITED, port: 9001 }, Buffer.from('HEX'))).toBeNull();
    expect(groupsOf(games)).toEqual(['239.1.2.3', '224.0.2.60']);
  });

  it('come before ours', () => {
    write('[{ "name": "DotA", "ports": [6112] }]');
    expect(recognise(load(), { ip: LIMITED, port: 6112 }, Buffer.from(''))?.name).toBe('DotA');
  });

  it.each(['{', '[{ "name": "x", "ports": [0] }]', '[{ "name": "x", "ports": [1], "host": ["zz"] }]'])(
    'that cannot be read are left out, and said: %s',
    (text) => {
      write(text);
      expect(load()).toBe(GAMES);
      expect(logged).toEqual([expect.stringContaining('games.json')]);
    },
  );
});
