/** What a name says, and what X.509 calls it. */
export const NAME_PARTS = {
  Country: 'C',
  Organization: 'O',
  OrganizationalUnit: 'OU',
  Locality: 'L',
  Province: 'ST',
  StreetAddress: 'street',
  PostalCode: 'postalCode',
  SerialNumber: 'serialNumber',
  CommonName: 'CN',
} as const
export type NamePart = keyof typeof NAME_PARTS
