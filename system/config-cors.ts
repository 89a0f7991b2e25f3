/** Settings of what pages of other origins may read. */
import { type CorsSettings, corsDefaults, type Origins, readOrigins } from './protocol/headers/cors.ts';

export type CorsConfig = { readonly corsOrigins: Origins; readonly corsSecretOrigins: Origins };

export const corsSettingsOf = ({ corsOrigins, corsSecretOrigins }: CorsConfig): CorsSettings => ({ origins: corsOrigins, secretOrigins: corsSecretOrigins });

const kind = {
  read: readOrigins,
  expected: '*, none, or origins as https://app.example with commas between: no path, no default port, lower case',
  show: (origins: Origins) => (origins === 'any' ? '*' : origins.join(',') || 'none'),
};

export const corsConfigSettings = {
  corsOrigins: {
    flag: 'cors-origins',
    env: 'HEADROOM_CORS_ORIGINS',
    about: 'whose pages may ask and read what tokens and the publishable key open; * is safe, as no cookie counts',
    ...kind,
    byDefault: corsDefaults.origins,
  },
  corsSecretOrigins: {
    flag: 'cors-secret-origins',
    env: 'HEADROOM_CORS_SECRET_ORIGINS',
    about: 'the same for what only the account’s secret opens, which is not to be in a page',
    ...kind,
    byDefault: corsDefaults.secretOrigins,
  },
};
