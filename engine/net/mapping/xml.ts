/** XML of a router that may be broken or hostile: bounded, without entities, as a plain tree. */
import { XMLParser } from 'fast-xml-parser';
import type { XmlNode } from '../../core/mapping/contract.ts';

/** Descriptions of real gateways are 2 to 10 KiB. */
export const LARGEST_XML_BYTES = 64 * 1024;
/** A gateway nests root, device, deviceList, device, deviceList, device, serviceList, service, controlURL: nine. */
const DEEPEST = 24;
const MOST_NODES = 2_000;

/** With `preserveOrder` every node is an object whose one key but `:@` is its name. */
type Ordered = Record<string, unknown>;

/**
 * Null for text that is not one bounded document. Tags left open pass, because routers forget them; a document type does
 * not, because none is needed and it may hold entities.
 */
export function parseXml(text: string): XmlNode | null {
  if (text.length > LARGEST_XML_BYTES || /<!(?:DOCTYPE|ENTITY)/i.test(text)) return null;
  try {
    const nodes = parser().parse(text) as Ordered[];
    const budget = { nodes: MOST_NODES };
    const roots = nodes.flatMap((node) => convert(node, 0, budget) ?? []);
    return roots.length === 1 ? (roots[0] ?? null) : null;
  } catch {
    return null;
  }
}

function parser(): XMLParser {
  return new XMLParser({
    preserveOrder: true,
    ignoreAttributes: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    removeNSPrefix: true,
    processEntities: false,
    parseTagValue: false,
    trimValues: true,
    maxNestedTags: DEEPEST,
  });
}

/** Null for text between elements. Throws beyond the bounds. */
function convert(node: Ordered, depth: number, budget: { nodes: number }): XmlNode | null {
  const name = Object.keys(node).find((key) => key !== ':@');
  if (name === undefined || name === '#text') return null;
  budget.nodes -= 1;
  if (depth > DEEPEST || budget.nodes < 0) throw new RangeError('too large');
  const content = node[name] as Ordered[];
  const texts = content.flatMap((child) => (typeof child['#text'] === 'string' ? child['#text'] : []));
  const children = content.flatMap((child) => convert(child, depth + 1, budget) ?? []);
  return { name, text: decodeEntities(texts.join('')), children };
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The five of XML 1.0, 4.6; all others stay as they are. */
function decodeEntities(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? '');
}
