/** Minecraft Java, "open to LAN": each 1.5 s a datagram to 224.0.2.60:4445 that names the world and its TCP port. */

export const MINECRAFT_GROUP = '224.0.2.60';
export const MINECRAFT_PORT = 4445;

const ANNOUNCEMENT = /^\[MOTD\](.*?)\[\/MOTD\]\[AD\](\d{1,5})\[\/AD\]/s;
const MOST_TITLE = 200;

export interface Announcement {
  /** Hostile text. */
  title: string;
  /** TCP, of the announcing host. */
  port: number;
}

/** Null for what is none. */
export function decodeAnnouncement(bytes: Uint8Array): Announcement | null {
  const said = ANNOUNCEMENT.exec(Buffer.from(bytes).toString());
  const port = Number(said?.[2] ?? 0);
  return said && port > 0 && port < 65_536 ? { title: said[1] ?? '', port } : null;
}

export function encodeAnnouncement({ title, port }: Announcement): Uint8Array {
  return Buffer.from(`[MOTD]${title.slice(0, MOST_TITLE)}[/MOTD][AD]${port}[/AD]`);
}
