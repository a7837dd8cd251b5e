import { words } from '../words'

export const t = words({
  zh: { title: '员工', about: '企业微信通讯录中的成员，每小时同步一次。', name: '姓名', userid: '账号', nameBegins: '姓名或账号开头', departments: '部门', role: '角色', state: '状态', active: '在职', inactive: '已停用' },
  en: { title: 'Staff', about: "Members of WeCom's address book, read every hour.", name: 'Name', userid: 'Account', nameBegins: 'Name or account begins', departments: 'Departments', role: 'Role', state: 'State', active: 'Active', inactive: 'Inactive' },
})
