import type { IncomingMessage } from 'node:http';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clientAddress,
  createProxyTrust,
  createSourceTags,
  plainAddress,
  SourceCounts,
  SourceRooms,
  sourceKey,
} from '../../../server/source.ts';

function request(remoteAddress: string | undefined, header?: string | string[]): IncomingMessage {
  return { socket: { remoteAddress }, headers: { 'x-forwarded-for': header } } as unknown as IncomingMessage;
}

describe('a source', () => {
  test('is an IPv4 address, however it is written, or the /64 of an IPv6 address', () => {
    expect(sourceKey('198.51.100.7')).toBe(sourceKey('::ffff:198.51.100.7'));
    expect(sourceKey('198.51.100.7')).not.toBe(sourceKey('198.51.100.8'));
    expect(sourceKey('2001:db8:1:2::3')).toBe(sourceKey('2001:DB8:1:2:ffff:ffff:ffff:ffff'));
    expect(sourceKey('2001:db8:1:2::3')).not.toBe(sourceKey('2001:db8:1:3::3'));
  });

  test('is told from its socket without zone or mapping', () => {
    expect(['fe80::1%eth0', '::ffff:10.0.0.1', '2001:DB8::0:1'].map(plainAddress)).toEqual([
      'fe80::1',
      '10.0.0.1',
      '2001:db8::1',
    ]);
    expect(clientAddress(request('fe80::1%eth0'), () => false)).toBe('fe80::1');
    expect(clientAddress(request(undefined), () => false)).toBe('0.0.0.0');
  });

  test('has a tag that says nothing and is the same for the same key', () => {
    const [tag, other] = [createSourceTags(), createSourceTags()];
    expect(tag('198.51.100.7')).toMatch(/^[0-9a-f]{16}$/);
    expect(tag('198.51.100.7')).toBe(tag('198.51.100.7'));
    expect(new Set([tag('198.51.100.7'), tag('198.51.100.8'), other('198.51.100.7')]).size).toBe(3);
  });
});

describe('X-Forwarded-For', () => {
  const trusted = createProxyTrust(['10.0.0.0/8', '2001:db8::/32', '192.0.2.1']);

  test.each<[string, string | string[] | undefined, string]>([
    ['198.51.100.7', '203.0.113.1', '198.51.100.7'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['::ffff:10.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['2001:db8::5', '203.0.113.1, 10.0.0.2', '203.0.113.1'],
    ['192.0.2.1', '6.6.6.6, 203.0.113.1, 10.0.0.2', '203.0.113.1'],
    ['192.0.2.2', '203.0.113.1', '192.0.2.2'],
    ['10.0.0.1', ['6.6.6.6', '203.0.113.1'], '203.0.113.1'],
    ['10.0.0.1', '203.0.113.1, evil', '10.0.0.1'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ])('from %s with %j: the client is %s', (remote, header, client) => {
    expect(clientAddress(request(remote, header), trusted)).toBe(client);
  });

  test('of any content names an address', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(() => sourceKey(clientAddress(request('10.0.0.1', header), trusted))).not.toThrow();
      }),
    );
  });

  test.each(['10.0.0.0/33', '2001:db8::/129', '10.0.0.0/-1', '10.0.0.0/x', 'example.org', ''])(
    '%s is no network',
    (network) => {
      expect(() => createProxyTrust([network])).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );
});

describe('counts', () => {
  test('of connections stop at the limit and go down again', () => {
    const counts = new SourceCounts(2);
    expect([counts.add('a'), counts.add('a'), counts.add('a'), counts.add('b')]).toEqual([true, true, false, true]);
    counts.remove('a');
    expect([counts.add('a'), counts.add('a')]).toEqual([true, false]);
  });

  test('of rooms count a room once, as long as one connection is in it', () => {
    const rooms = new SourceRooms(1);
    expect([rooms.add('a', 'x'), rooms.add('a', 'x'), rooms.add('a', 'y')]).toEqual([true, true, false]);
    rooms.remove('a', 'x');
    expect(rooms.add('a', 'y')).toBe(false);
    rooms.remove('a', 'x');
    expect(rooms.add('a', 'y')).toBe(true);
  });
});
