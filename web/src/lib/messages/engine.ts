// What the engine itself has to say: faults by reason (else by code), and the state of the connection.
// The reasons are those of docs/protocol.md.
export const engine = {
  'fault.bad_request': 'That could not be understood. Please reload the page and try again.',
  'fault.unauthorized': 'Please sign in first.',
  'fault.forbidden': 'You are not allowed to do this here.',
  'fault.not_found': 'This does not exist, or you may not see it.',
  'fault.conflict': 'This has changed meanwhile. Please look again.',
  'fault.too_large': 'This is too long.',
  'fault.rate_limited': 'That was a lot at once. Please wait a moment.',
  'fault.unavailable': 'The hub is busy just now. Please try again in a moment.',
  'fault.internal': 'Something went wrong on our side. Nothing of yours is lost. Please try again.',
  'fault.offline': 'There is no connection to the hub. Please try again when you are back online.',
  'fault.handle_taken': 'This handle is taken. Please choose another one.',
  'fault.text_empty': 'There is nothing to send yet.',

  'connection.connecting': 'Connecting …',
  'connection.catching-up': 'Fetching what is new …',
  'connection.live': 'Connected',
  'connection.offline': 'You are offline. What you write is kept and sent when you are back.',
  'connection.waiting': {
    one: 'No connection to the hub. Trying again in {count} second.',
    other: 'No connection to the hub. Trying again in {count} seconds.',
  },
  'connection.closed': 'The hub has ended the connection.',
  'connection.signed-out': 'You have been signed out. Please sign in again.',
  'connection.removed': 'This account can no longer be used.',
  'connection.slowed': {
    one: 'Too much at once. The hub lets you in again in {count} second.',
    other: 'Too much at once. The hub lets you in again in {count} seconds.',
  },

  'time.today': 'Today',
  'time.yesterday': 'Yesterday',
} as const;
