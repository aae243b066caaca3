import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseXml } from '../../../engine/net/mapping/xml.ts';

describe('XML', () => {
  it('becomes a tree of local names, texts and children', () => {
    expect(
      parseXml(
        '<?xml version="1.0"?>\n<s:a xmlns:s="urn:x" q="1"><!-- c --><b> 1 </b><s:b>07&amp;&lt;</s:b><c/></s:a>',
      ),
    ).toEqual({
      name: 'a',
      text: '',
      children: [
        { name: 'b', text: '1', children: [] },
        { name: 'b', text: '07&<', children: [] },
        { name: 'c', text: '', children: [] },
      ],
    });
  });

  it('expands no entity and takes no document type', () => {
    const bomb = `<!DOCTYPE a [<!ENTITY x "${'y'.repeat(1_000)}"><!ENTITY z "&x;&x;&x;&x;">]><a>&z;</a>`;
    expect(parseXml(bomb)).toBeNull();
    expect(parseXml('<!doctype a SYSTEM "file:///etc/passwd"><a/>')).toBeNull();
    expect(parseXml('<a>&x;&#65;&amp;lt;</a>')).toEqual({ name: 'a', text: '&x;&#65;&lt;', children: [] });
  });

  it.for([
    ['nothing', ''],
    ['text', 'hello'],
    ['two documents', '<a/><b/>'],
    ['more than 64 KiB', `<a>${' '.repeat(70_000)}</a>`],
    ['more elements than any description', `<a>${'<b/>'.repeat(3_000)}</a>`],
    ['deeper nesting than any description', `${'<a>'.repeat(3_000)}${'</a>'.repeat(3_000)}`],
  ] as const)('is null for %s', ([, text]) => {
    expect(parseXml(text)).toBeNull();
  });

  it('is a tree or null, whatever comes', () => {
    const pieces = fc.constantFrom(
      '<a>',
      '</a>',
      '<',
      '>',
      '&',
      '"',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '<?x',
      '?>',
      '__proto__',
      'x',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const tree = parseXml(parts.join(''));
        expect(tree === null || typeof tree.name === 'string').toBe(true);
      }),
    );
  });

  it('reaches no object’s own machinery', () => {
    expect(parseXml('<a><__proto__><polluted>1</polluted></__proto__></a>')).toBeNull();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
