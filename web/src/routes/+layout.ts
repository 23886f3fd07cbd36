// One static page, filled in the browser: the server knows nothing of pages.
export const ssr = false;
export const prerender = false;
