import { Partitions } from './partition';

describe('a credential', () => {
  const partitions = new Partitions('a-secret-of-the-tests');

  it('is the same however its token is written', () => {
    const written = ['Bearer ghp_x', 'bearer ghp_x', 'token ghp_x', 'Token  ghp_x', ' Bearer\t ghp_x '];
    const ids = written.map((authorization) => partitions.credentialOf(authorization));
    expect(new Set(ids)).toEqual(new Set([partitions.idOf('Bearer ghp_x')]));
    expect(ids.join()).not.toContain('ghp_');
  });

  it('is another with another token or scheme', () => {
    const written = ['Bearer ghp_x', 'Bearer ghp_X', 'Bearer ghp_x y', 'Basic ghp_x', 'ghp_x', 'Bearer', ''];
    expect(new Set(written.map((authorization) => partitions.credentialOf(authorization))).size).toBe(written.length);
  });
});
