import { RedisProcess } from '../support/redis-process';
it('fails', async () => {
  const redis = await RedisProcess.start();
  try { expect([redis]).toHaveLength(3); } finally { await redis.stop(); }
});
