// The invitation that somebody followed before they were a member: kept in this tab until they are, so that signing in
// or up on the way does not lose it. The code never goes into a URL that is sent anywhere.
const KEY = 'hubchat:invitation';

export const invitation = {
  get: (): string => sessionStorage.getItem(KEY) ?? '',
  keep: (code: string): void => sessionStorage.setItem(KEY, code),
  drop: (): void => sessionStorage.removeItem(KEY),
};
