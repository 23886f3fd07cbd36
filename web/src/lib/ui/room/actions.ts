// What this member may do with this message, in the order of the menu. The hub decides again when it is done.
import type { Component } from 'svelte';
import Copy from '@lucide/svelte/icons/copy';
import Pencil from '@lucide/svelte/icons/pencil';
import Pin from '@lucide/svelte/icons/pin';
import PinOff from '@lucide/svelte/icons/pin-off';
import Reply from '@lucide/svelte/icons/reply';
import Smile from '@lucide/svelte/icons/smile';
import SmilePlus from '@lucide/svelte/icons/smile-plus';
import Trash2 from '@lucide/svelte/icons/trash-2';
import { t } from '$lib/catalogue';
import type { Message } from '$lib/message';
import type { Room } from '$lib/rooms.svelte';
import type { Acts } from './acts';

export interface Action {
  word: string;
  icon: Component;
  run: () => void;
  /** Takes the focus elsewhere: to the composer, a dialog, the picker. */
  leaves?: true;
  /** Takes something away for good. */
  grave?: true;
}

interface Openers {
  react: () => void;
  remove: () => void;
  reactions: () => void;
}

export function actionsFor(message: Message, room: Room, acts: Acts, open: Openers): Action[] {
  const { seq } = message;
  if (seq === null || message.deleted) return [];
  const writes = room.can('send');
  const actions: (Action | false)[] = [
    room.can('react') && { word: t('message.react'), icon: SmilePlus, run: open.react, leaves: true },
    writes && { word: t('message.reply'), icon: Reply, run: () => acts.reply(message), leaves: true },
    room.can('edit') &&
      message.mine && { word: t('message.edit'), icon: Pencil, run: () => acts.edit(message), leaves: true },
    message.reactions.length > 0 && {
      word: t('reaction.list'),
      icon: Smile,
      run: open.reactions,
      leaves: true,
    },
    { word: t('message.copy'), icon: Copy, run: () => void navigator.clipboard.writeText(message.text) },
    room.can('pin') && {
      word: message.pinned ? t('message.unpin') : t('message.pin'),
      icon: message.pinned ? PinOff : Pin,
      run: () => void room.pin(seq, !message.pinned),
    },
    ((message.mine && room.can('delete_own')) || room.can('delete_any')) && {
      word: t('message.delete'),
      icon: Trash2,
      run: open.remove,
      leaves: true,
      grave: true,
    },
  ];
  return actions.filter((action) => action !== false);
}
