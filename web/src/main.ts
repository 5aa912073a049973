import { createApp } from 'vue';
import App from './App.vue';
import { loadPageInfo } from './api/page-info';
import { applyTheme } from './shell/theme';
import './styles/tokens.css';
import './styles/base.css';
import './styles/overlays.css';

applyTheme();
createApp(App).mount('#app');
void loadPageInfo();
