import { describe, expect, test } from 'vitest';
import { proxyFor } from '../../../engine/net/rendezvous/proxy.ts';

const proxied = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env)?.href ?? null;

describe('the proxy for a URL', () => {
  test.each<[string, Record<string, string>, string | null]>([
    ['wss://a.example/v1', {}, null],
    ['wss://a.example/v1', { HTTPS_PROXY: 'http://p:3128' }, 'http://p:3128/'],
    ['wss://a.example/v1', { https_proxy: 'http://p:3128' }, 'http://p:3128/'],
    ['wss://a.example/v1', { https_proxy: 'http://low', HTTPS_PROXY: 'http://high' }, 'http://low/'],
    ['wss://a.example/v1', { HTTP_PROXY: 'http://p' }, null],
    ['ws://a.example/v1', { HTTP_PROXY: 'http://p' }, 'http://p/'],
    ['ws://a.example/v1', { HTTPS_PROXY: 'http://p' }, null],
    ['wss://a.example/v1', { HTTPS_PROXY: 'p:3128' }, 'http://p:3128/'],
    ['wss://a.example/v1', { HTTPS_PROXY: 'https://u:s@p' }, 'https://u:s@p/'],
    ['wss://a.example/v1', { HTTPS_PROXY: 'socks5://p' }, null],
    ['wss://a.example/v1', { HTTPS_PROXY: '  ' }, null],
    ['wss://a.example/v1', { HTTPS_PROXY: 'http://[' }, null],
  ])('%s with %j is %s', (url, env, expected) => {
    expect(proxied(url, env)).toBe(expected);
  });
});

describe('NO_PROXY', () => {
  test.each<[string, string, boolean]>([
    ['*', 'a.example', true],
    ['a.example', 'a.example', true],
    ['example', 'a.example', true],
    ['.example', 'a.example', true],
    ['*.example', 'a.example', true],
    ['A.Example', 'a.example', true],
    ['xample', 'a.example', false],
    ['b.example, a.example', 'a.example', true],
    ['b.example a.example', 'a.example', true],
    ['a.example:443', 'a.example', true],
    ['a.example:80', 'a.example', false],
    ['a.example:9', 'a.example:9', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['0.0.1', '127.0.0.1', false],
    ['127.0.0.0/8', '127.1.2.3', true],
    ['10.0.0.0/8', '127.1.2.3', false],
    ['10.0.0.0/99', '10.1.2.3', false],
    ['::1', '[::1]', true],
    ['[::1]:443', '[::1]', true],
    ['[::1]:80', '[::1]', false],
    ['2001:db8::/32', '[2001:db8::5]', true],
    ['2001:db8::/32', '[2001:db9::5]', false],
    [' , ,', 'a.example', false],
  ])('%s and the host %s: excluded %s', (list, host, excluded) => {
    const env = { HTTPS_PROXY: 'http://p', NO_PROXY: list };
    expect(proxied(`wss://${host}/v1`, env) === null).toBe(excluded);
  });
});
