import type { PeerSnapshot } from '../../../protocol/app.ts';
import type { Text } from '../../i18n/text.tsx';
import { standing } from '../../store/member.ts';

/** Why a member is not direct, in words; null when it is. */
export function reasonText(t: Text, peer: PeerSnapshot): string | null {
  switch (standing(peer)) {
    case 'direct':
      return null;
    case 'blocked':
      return t('reason.blocked');
    case 'lost':
      return t('reason.lost');
    case 'connecting':
      return t('reason.opening');
    case 'relayed':
      return peer.reason === null ? null : t(`reason.${peer.reason}`);
  }
}
