import { resourceOf, shapeOf } from './github-resources';

describe("GitHub's resources", () => {
  it.each([
    ['GET', '/rate_limit', undefined],
    ['GET', '/users/redis', 'core'],
    ['GET', '/search/code', 'code_search'],
    ['GET', '/search/repositories', 'search'],
    ['POST', '/graphql', 'graphql'],
    ['GET', '/users/graphql', 'core'],
    ['GET', '/repos/facebook/graphql', 'core'],
    ['POST', '/app-manifests/c0de/conversions', 'integration_manifest'],
    ['GET', '/orgs/nestjs/audit-log', 'audit_log'],
    ['GET', '/enterprises/acme/audit-log', 'audit_log'],
    ['GET', '/enterprises/acme/audit-log/streams', 'audit_log_streaming'],
    ['POST', '/repos/a/b/dependency-graph/snapshots', 'dependency_snapshots'],
    ['GET', '/repos/a/b/dependency-graph/sbom', 'dependency_sbom'],
    ['POST', '/repos/a/b/code-scanning/sarifs', 'code_scanning_upload'],
    ['GET', '/repos/a/b/code-scanning/sarifs', 'core'],
    ['POST', '/repos/a/b/code-scanning/alerts/7/autofix', 'code_scanning_autofix'],
    ['POST', '/orgs/nestjs/actions/runners/registration-token', 'actions_runner_registration'],
    ['GET', '/scim/v2/organizations/acme/Users', 'scim'],
    ['GET', '/Repos/A/B/import', 'source_import'],
    ['GET', '/repos/a/b/contents/import', 'core'],
  ])('%s %s counts against %s', (method, path, resource) => {
    expect(resourceOf(path, method)).toBe(resource);
  });

  it('takes paths for alike that differ in names, numbers and hashes alone', () => {
    expect(shapeOf('/repos/Redis/redis/issues/12/labels')).toBe(shapeOf('/repos/nestjs/nest/issues/7/labels'));
    expect(shapeOf('/users/redis/events')).toBe('/users/*/events');
    expect(shapeOf(`/repos/a/b/commits/${'0a'.repeat(20)}`)).toBe('/repos/*/*/commits/*');
    expect(shapeOf('/api/uploads/repos/a/b/releases/1/assets')).toBe('/repos/*/*/releases/*/assets');
    expect(shapeOf('/')).toBe('/');
  });
});
