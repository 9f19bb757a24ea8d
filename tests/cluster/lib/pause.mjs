/** How long a fault lasts. To wait for something, see `until`. */
export const lasting = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
