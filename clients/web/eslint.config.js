// What `tsc` does not see: style, size, and ways around the one place that makes HTML.
import js from "@eslint/js";

export default [
  js.configs.recommended,
  {
    rules: {
      // tsc knows the browser's names, and the unit tests know Node's.
      "no-undef": "off",
      complexity: ["error", 12],
      curly: ["error", "multi-line"],
      eqeqeq: ["error", "always"],
      "max-len": ["error", { code: 120, ignoreUrls: true }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc"].map((property) => ({
          property,
          message: "HTML comes from markdown.js, or from a template of Lit's.",
        })),
      ],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      quotes: ["error", "double", { avoidEscape: true, allowTemplateLiterals: true }],
      semi: ["error", "always"],
    },
  },
  // A `describe` of many small tests is one function to ESLint.
  { files: ["test/**", "eslint.config.js"], rules: { "max-lines-per-function": "off" } },
];
