import { describeUpstream } from '../../testing';
import { gitlab } from './gitlab.definition';
import { GitlabModule } from './gitlab.module';

describeUpstream(gitlab, GitlabModule, { path: '/projects/7' });
