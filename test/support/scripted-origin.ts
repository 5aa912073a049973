/** Part of `larder/testing`, so that other teams' tests have it, too. */
export { ScriptedOrigin, type OriginHit, type OriginScript } from '../../testing/scripted-origin';
