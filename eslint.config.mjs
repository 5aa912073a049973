import vue from 'eslint-plugin-vue';
import tseslint from 'typescript-eslint';
import vueParser from 'vue-eslint-parser';

/** What prettier decides. */
const LAYOUT = [
  ...['max-attributes-per-line', 'singleline-html-element-content-newline', 'multiline-html-element-content-newline'],
  ...['html-self-closing', 'html-indent', 'html-closing-bracket-newline', 'html-closing-bracket-spacing'],
  ...['first-attribute-linebreak'],
];

/** Names that say less than they could: a limit is `MAX_…` or `MIN_…`, with its unit; a verb says its effect. */
const UNPLAIN = [
  {
    selector: 'Identifier[name=/^(MOST|LONGEST|LARGEST|SMALLEST|SHORTEST|FEWEST|LEAST|SO_MANY)_/]',
    message: 'A limit is called MAX_… or MIN_…, with its unit.',
  },
  {
    selector:
      ':matches(MethodDefinition, PropertyDefinition, TSAbstractMethodDefinition, TSMethodSignature) > Identifier.key[name=/^(tell|hear|heed|say|ask|owe|learn|land|lead|makeUp)$/]',
    message: 'Say the effect: publish, notify, log, store, load, subscribe, acquire, release, send.',
  },
  {
    selector: 'FunctionDeclaration > Identifier.id[name=/^(tell|hear|heed|say|ask|owe|learn|land|lead)([A-Z].*)?$/]',
    message: 'Say the effect: publish, notify, log, store, load, subscribe, acquire, release, send.',
  },
  {
    selector:
      ':matches(ClassDeclaration, TSInterfaceDeclaration, TSTypeAliasDeclaration) > Identifier.id[name=/^(Sourced|Landed|Landing|Deliver(y|ies)|RelayedDelivery|Likeness|Way|KnownWays|Hearing|Beside|Joining|Note|Spending|Pace|Peeked|Ending|ToldResources)$/]',
    message: "Use the field's term: docs/explanation/glossary.md.",
  },
];

export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'coverage/**',
      'node_modules/**',
      '*.js',
      '*.mjs',
      '.dependency-cruiser.cjs',
      'web/*.mjs',
      'test/checks.mjs',
      'test/jest/*.js',
      'test/support/*.mjs',
      'benchmarks/node_modules/**',
      'benchmarks/results/**',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-extraneous-class': 'off', // a Nest module is a class with nothing in it
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-unnecessary-type-parameters': 'off', // a type argument at the call says what is there
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off', // Nest types its options as classes
      'no-empty': ['error', { allowEmptyCatch: false }],
    },
  },
  {
    files: ['**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', UNPLAIN[0]] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'no-restricted-syntax': ['error', ...UNPLAIN] },
  },
  {
    // one-environment-reader: config/env.schema.ts alone reads process.env
    files: ['src/**/*.ts'],
    ignores: ['src/config/env.schema.ts', '**/*.spec.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Read it in config/env.schema.ts.' },
      ],
    },
  },
  {
    // loaded-on-demand: packages that many services never use are loaded by import() where they are first needed, not at the start
    files: ['src/**/*.ts'],
    ignores: ['src/telemetry/**', '**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(@nestjs/swagger|@nestjs/axios|axios|redis|@redis/.*|@opentelemetry/.*)$',
              allowTypeImports: true,
              message: 'Load it where it is first needed, with import(): every service pays for what the start loads.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['**/*.spec.ts', 'test/**/*.ts', 'benchmarks/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
  // The page. vue-tsc checks the types of its components; here their form and their safety.
  ...vue.configs['flat/recommended-error'].map((config) => ({ ...config, files: ['web/**/*.vue'] })),
  {
    files: ['web/**/*.vue'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      parser: vueParser,
      parserOptions: {
        parser: tseslint.parser,
        extraFileExtensions: ['.vue'],
        projectService: false,
        sourceType: 'module',
      },
    },
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      ...Object.fromEntries(LAYOUT.map((name) => [`vue/${name}`, 'off'])),
      'vue/require-default-prop': 'off', // with destructured props the default stands in the destructuring
      'vue/no-v-html': 'error', // everything from the API is shown as text
      'vue/no-static-inline-styles': 'error', // the Content-Security-Policy allows none
    },
  },
  {
    // the one that imports a component, whose type only vue-tsc knows
    files: ['web/src/main.ts'],
    rules: { '@typescript-eslint/no-unsafe-argument': 'off' },
  },
);
