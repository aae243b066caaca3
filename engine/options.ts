/** What an engine is given: the world as ports, and what the user asked for. */
import type { Snapshot } from '../protocol/app.ts';
import type { StunServer } from './core/nat/contract.ts';
import type {
  ClockPort,
  CryptoPort,
  DevicePort,
  InterfacesPort,
  PortMappingPort,
  RandomPort,
  RendezvousPort,
  StorePort,
  TunPort,
} from './ports.ts';

export interface EnginePorts {
  clock: ClockPort;
  random: RandomPort;
  rendezvous: RendezvousPort;
  crypto: CryptoPort;
  interfaces: InterfacesPort;
  /** Null: no router can be asked here. */
  mapping: PortMappingPort | null;
  store: StorePort;
  tun: TunPort;
  /** The device for this room's private key. */
  createDevice(privateKey: Uint8Array): DevicePort;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

export interface EngineOptions {
  room: string;
  password: string | null;
  nick: string;
  machineKey: Uint8Array;
  servers: string[];
  create: boolean;
  ipv4: string | null;
  stun: StunServer[];
  /** Endpoints that the user knows to lead here. */
  staticCandidates: { ip: string; port: number }[];
  settings: Snapshot['settings'];
  /** Writes a changed setting for the next run. */
  saveSettings(settings: Snapshot['settings']): void;
  scryptN?: number;
}
