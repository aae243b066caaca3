import type { PeerSnapshot } from '../../../protocol/app.ts';
import type { Text } from '../../i18n/text.tsx';
import { type StrictSide, standing } from '../../store/member.ts';

/** Why a member is not direct, in words; null when it is. `strict`: whose NAT is in the way, if one is. */
export function reasonText(t: Text, peer: PeerSnapshot, strict: StrictSide | null): string | null {
  switch (standing(peer)) {
    case 'direct':
      return null;
    case 'blocked':
      return t('reason.blocked');
    case 'lost':
      return t('reason.lost');
    case 'connecting':
      return t(peer.state === 'connected' ? 'reason.broken' : 'reason.opening');
    case 'relayed':
      if (peer.reason === null) return null;
      if (peer.reason === 'hard-nat-pair' && strict !== null && strict !== 'both')
        return t(`reason.hard-nat-${strict}`);
      return t(`reason.${peer.reason}`);
  }
}
