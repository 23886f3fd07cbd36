import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['.svelte-kit/', 'node_modules/', 'static/', 'src/lib/paraglide/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs['flat/recommended'],
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'] } },
  },
  {
    rules: {
      // TypeScript knows every name; the rule does not know its globals.
      'no-undef': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // What is not shown by itself stays a plain Map or Set on purpose.
      'svelte/prefer-svelte-reactivity': 'off',
      // The hub is served from the root of its address, so paths need no resolve().
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
);
