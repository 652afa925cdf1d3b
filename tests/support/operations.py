"""The operations of a stock client, as text."""

from __future__ import annotations

ERRORS = """userErrors {
  code message path
  ... on PaymentDeclined { declineCode }
  ... on PaymentActionRequired { clientSecret hostedUrl }
}"""

OWN_ADDRESSES = "{ viewer { emails { address isPrimary } } }"

PUBLISHABLE_KEY = "{ catalog { stripePublishableKey } }"

SEND_PHONE_VERIFICATION = (
    "mutation ($input: SendPhoneVerificationInput!) { sendPhoneVerification(input: $input) { userErrors { code } } }"
)

VERIFY_PHONE = "mutation ($input: VerifyPhoneInput!) { verifyPhone(input: $input) { userErrors { code } } }"

CARDS = "query ($id: ID!) { workspace(id: $id) { paymentMethods { id kind brand last4 expMonth expYear isDefault } } }"

ADD_CARD = f"""mutation ($input: AddPaymentMethodInput!) {{
  addPaymentMethod(input: $input) {{ clientSecret {ERRORS} }}
}}"""

INVOICE = """fragment InvoiceParts on Invoice {
  id number status version
  subtotal { amount currency } tax { amount } total { amount } amountDue { amount } amountPaid { amount }
  lines { description quantity amount { amount currency } isProration }
  taxLines { name ratePercent amount { amount } }
  hostedUrl pdfUrl
}"""

RECHARGE = f"""mutation ($input: RechargeCreditsInput!) {{
  rechargeCredits(input: $input) {{
    purchase {{ id status credits failure version price {{ amount currency }} }}
    creditBalance {{ id available version }}
    transaction {{ id sequence kind amount balanceAfter }}
    invoice {{ ...InvoiceParts }}
    {ERRORS}
  }}
}}
{INVOICE}"""

PURCHASE = f"""query ($id: ID!) {{
  node(id: $id) {{
    ... on CreditPurchase {{
      id status credits failure version price {{ amount currency }} invoice {{ ...InvoiceParts }}
    }}
  }}
}}
{INVOICE}"""

PURCHASES = """query ($id: ID!, $first: Int! = 20, $after: String) {
  workspace(id: $id) {
    purchases(first: $first, after: $after) {
      edges { cursor node { id } } nodes { id status failure }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""

INVOICES = f"""query ($id: ID!, $first: Int! = 20, $after: String, $status: InvoiceStatus) {{
  workspace(id: $id) {{
    invoices(first: $first, after: $after, status: $status) {{
      edges {{ cursor node {{ id }} }} nodes {{ ...InvoiceParts }}
      pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    }}
  }}
}}
{INVOICE}"""

BALANCE = """query ($id: ID!) {
  workspace(id: $id) {
    creditBalance {
      id available held version updatedAt unit { code decimals }
      grants { id source amount remaining expiresAt }
      nextExpiry { amount at }
    }
  }
}"""

HISTORY = """query (
  $id: ID!, $first: Int! = 20, $after: String, $kind: CreditTransactionKind, $from: DateTime, $to: DateTime
) {
  workspace(id: $id) {
    creditBalance {
      transactions(first: $first, after: $after, kind: $kind, from: $from, to: $to) {
        edges { cursor node { id } }
        nodes {
          id sequence kind amount balanceAfter heldDelta heldAfter description at
          resource { code } purchase { id status } invoice { number }
        }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
}"""

DEDUCT = f"""mutation ($input: DeductCreditsInput!) {{
  deductCredits(input: $input) {{
    transaction {{ id sequence kind amount balanceAfter description resource {{ code }} }}
    creditBalance {{ available version }}
    {ERRORS}
  }}
}}"""

GRANT = f"""mutation ($input: GrantCreditsInput!) {{
  grantCredits(input: $input) {{
    transaction {{ id sequence kind amount balanceAfter description }}
    creditBalance {{ available version }}
    {ERRORS}
  }}
}}"""

CREATE_API_KEY = f"""mutation ($input: CreateApiKeyInput!) {{
  createApiKey(input: $input) {{
    apiKey {{ id name prefix scopes createdAt lastUsedAt expiresAt }} secret {ERRORS}
  }}
}}"""

REVOKE_API_KEY = f"""mutation ($input: IdInput!) {{
  revokeApiKey(input: $input) {{ workspace {{ id apiKeys {{ id }} }} {ERRORS} }}
}}"""

API_KEYS = """query ($id: ID!) {
  workspace(id: $id) { apiKeys { id name prefix scopes createdAt lastUsedAt expiresAt } }
}"""

AUDIT_LOG = """query ($id: ID!, $first: Int = 50, $after: String) {
  workspace(id: $id) {
    auditLog(first: $first, after: $after) {
      edges { cursor node { id } } nodes { id at actor action summary detail }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""

WATCH_BALANCE = """subscription ($id: ID!) {
  creditBalanceChanged(workspaceId: $id) { available held version }
}"""

WATCH_PURCHASE = """subscription ($id: ID!) {
  creditPurchaseChanged(id: $id) { status version failure invoice { status } }
}"""

WATCH_SUBSCRIPTION = """subscription ($id: ID!) {
  subscriptionChanged(workspaceId: $id) {
    plan { code } status seats { total used available } recurringPrice { amount } cancelAtPeriodEnd version
  }
}"""

USAGE = """query ($id: ID!) {
  workspace(id: $id) {
    usage {
      id workspaceId version period { start end }
      bars {
        id used limit remaining ratio level overage creditsSpent unpaidOverage resetsAt
        resource { code isGauge }
        series { day used }
        subjects { subject used creditsSpent }
      }
    }
  }
}"""

RECORD_USAGE = f"""mutation ($input: RecordUsageInput!) {{
  recordUsage(input: $input) {{ accepted duplicates rejected {{ index code message }} {ERRORS} }}
}}"""

CHECK_USAGE = """query ($id: ID!, $resource: String!, $quantity: Decimal!) {
  usageCheck(workspaceId: $id, resource: $resource, quantity: $quantity) { decision creditsNeeded reason }
}"""

WATCH_USAGE = """subscription ($id: ID!) {
  usageChanged(workspaceId: $id) {
    version period { start end }
    bars { used level creditsSpent resource { code } series { used } subjects { subject used creditsSpent } }
  }
}"""
