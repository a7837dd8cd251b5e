import { words } from '../words'

export const t = words({
  zh: { title: '员工', about: '企业微信通讯录中的成员，每小时同步一次。', name: '姓名', userid: '账号', nameBegins: '姓名或账号开头', departments: '部门', role: '角色', state: '状态', active: '在职', inactive: '已停用',
    change: '更改角色', changeOf: '更改角色：{name}', roleOf: '{name}的角色', save: '保存', cancel: '取消', manages: '管理的部门', managesOwn: '不选则管理其所在的部门，下级部门都包含在内', managesSome: '已选 {n} 个部门，下级部门都包含在内', searchDepartments: '按名称查找部门',
    ROLE_ADMIN: '管理一切：角色、密钥、死信和全部数据', ROLE_FRONTLINE: '只看自己的客户和订单', ROLE_MANAGER: '看所管部门的客户、订单和员工', ROLE_OPERATOR: '管理渠道、活码和欢迎语，看全部数据', ROLE_ANALYST: '看全部数据，姓名脱敏，不能修改',
    sync: '同步通讯录', synced: '已同步 {n} 名成员',
  },
  en: { title: 'Staff', about: "Members of WeCom's address book, read every hour.", name: 'Name', userid: 'Account', nameBegins: 'Name or account begins', departments: 'Departments', role: 'Role', state: 'State', active: 'Active', inactive: 'Inactive',
    change: 'Change the role', changeOf: 'Change the role: {name}', roleOf: 'Role of {name}', save: 'Save', cancel: 'Cancel', manages: 'Manages these departments', managesOwn: 'None chosen: their own departments, with those below', managesSome: '{n} chosen, with the departments below', searchDepartments: 'Find a department by its name',
    ROLE_ADMIN: 'Looks after everything: roles, keys, dead letters, all data', ROLE_FRONTLINE: 'Sees their own customers and orders', ROLE_MANAGER: 'Sees the customers, orders and employees of departments', ROLE_OPERATOR: 'Runs channels, live codes and welcomes; sees all data', ROLE_ANALYST: 'Sees all data, names masked, and changes nothing',
    sync: 'Read the address book', synced: '{n} members read',
  },
})
