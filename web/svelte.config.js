import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
  kit: {
    // Straight into the Python package: the wheel carries it, and one server serves both.
    adapter: adapter({ pages: '../hubchat/static', fallback: 'index.html', precompress: true }),
  },
};
