import { words } from '../words'

export const t = words({
  zh: { title: '部门', about: '企业微信通讯录中的部门；每个部门的数字包含其下级部门，员工属于多个部门时分别计入。', name: '部门', living: '当前好友', livingAbout: '部门内员工现在的好友关系数；同一客户被两位员工添加计为两个。', began: '近 30 天新增', ended: '近 30 天流失', staff: '员工', customers: '客户', empty: '还没有读到部门', emptyText: '通讯录同步后会出现在这里；请确认应用的可见范围。' },
  en: { title: 'Departments', about: "Departments of WeCom's address book. A department's figures include those below it; an employee counts in each of theirs.", name: 'Department', living: 'Friends now', livingAbout: 'Friendships that the employees of the department have now; a customer whom two employees added counts twice.', began: 'Added, last 30 days', ended: 'Lost, last 30 days', staff: 'Staff', customers: 'Customers', empty: 'No departments read yet', emptyText: 'They appear when the address book has been read; see whether the app may see them.' },
})
