// Lines may run from the right, so nothing is placed by left and right: start and end say the same in every language.
const PART = String.raw`((?:[^\s()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+)`;
/** Four sides of which the right and the left one differ. */
const UNEVEN_SIDES = new RegExp(String.raw`^${PART}\s+${PART}\s+${PART}\s+(?!\2$)${PART}$`);
const CORNERS = new RegExp(String.raw`^${PART}\s+${PART}`);
const SIDES = '/^(margin|padding|inset|border-(width|color|style)|scroll-(margin|padding))$/';

/** @type {import('stylelint').Config} */
export default {
  overrides: [{ files: ['**/*.svelte'], customSyntax: 'postcss-html' }],
  rules: {
    // Shorthands are alike in both directions while right and left are, which the rule below sees to. Not all browsers
    // have other names for overflow, nor other words for which way a field is resized.
    'property-layout-mappings': ['flow-relative', { ignoreProperties: [SIDES, 'overflow-x', 'overflow-y'] }],
    'value-keyword-layout-mappings': ['flow-relative', { ignoreProperties: ['resize'] }],
    'declaration-property-value-disallowed-list': [
      {
        [SIDES]: [UNEVEN_SIDES],
        'border-radius': [CORNERS],
        '/^(justify-(content|items|self)|place-.*)$/': [/\b(left|right)\b/],
      },
      { message: 'Name the sides: -block, -inline, -start, -end' },
    ],
  },
};
